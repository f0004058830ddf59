//! Filters that hash and encrypt: checksums, password hashes, UUIDs, vault text.

use std::sync::Arc;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};
use uuid::Uuid;

use crate::base::Secret;
use crate::vault;

use super::super::arguments::Arguments;
use super::super::data::Val;
use super::super::fault::{Fault, Outcome};
use super::super::scope::Scope;
use super::{Filter, filter, password};

pub(crate) const FILTERS: &[Filter] = &[
    filter("hash", hash),
    filter("checksum", |arguments, _| Ok(Val::str(hex::encode(Sha1::digest(data(arguments)?))))),
    filter("sha1", |arguments, _| Ok(Val::str(hex::encode(Sha1::digest(data(arguments)?))))),
    filter("md5", |arguments, _| Ok(Val::str(hex::encode(Md5::digest(data(arguments)?))))),
    filter("password_hash", password_hash),
    filter("to_uuid", to_uuid),
    filter("vault", encrypt),
    filter("unvault", decrypt),
];

fn bytes(value: &Val) -> Outcome<Vec<u8>> {
    match value {
        Val::Bytes(bytes) => Ok(bytes.to_vec()),
        other => Ok(other.text()?.as_bytes().to_vec()),
    }
}

fn data(arguments: Arguments) -> Outcome<Vec<u8>> {
    bytes(arguments.bind(["data"])?.required(0)?)
}

fn hash(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["data", "hashtype"])?;
    let data = bytes(bound.required(0)?)?;
    Ok(Val::str(match bound.text_or(1, "sha1")?.to_ascii_lowercase().replace('-', "").as_str() {
        "md5" => hex::encode(Md5::digest(data)),
        "sha1" => hex::encode(Sha1::digest(data)),
        "sha224" => hex::encode(Sha224::digest(data)),
        "sha256" => hex::encode(Sha256::digest(data)),
        "sha384" => hex::encode(Sha384::digest(data)),
        "sha512" => hex::encode(Sha512::digest(data)),
        "sha512_224" => hex::encode(Sha512_224::digest(data)),
        "sha512_256" => hex::encode(Sha512_256::digest(data)),
        other => {
            let known = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"];
            return Err(Fault::failed(format!("there is no hash `{other}`")).did_you_mean(other, known));
        }
    }))
}

fn password_hash(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["password", "hashtype", "salt", "salt_size", "rounds", "ident"])?;
    let Val::Str(text) = bound.required(0)? else {
        return Err(Fault::failed(format!("a password is text, not `{}`", bound.required(0)?.type_name()))
            .help("quote the value, or use `| string`"));
    };
    let wanted = password::Wanted {
        scheme: password::Scheme::by_name(&bound.text_or(1, "sha512")?)?,
        salt: bound.some_text(2)?.filter(|salt| !salt.is_empty()).map(|salt| salt.to_string()),
        salt_size: bound.int(3)?.and_then(|size| usize::try_from(size).ok()),
        rounds: bound.int(4)?.and_then(|rounds| u32::try_from(rounds).ok()),
        ident: bound.some_text(5)?.map(|ident| ident.to_string()),
    };
    password::hashed(text, &wanted).map(Val::str)
}

/// The namespace of Ansible's UUIDs.
const NAMESPACE: &str = "361E6D51-FAEC-444A-9079-341386DA8E2E";

fn to_uuid(arguments: Arguments, _: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["string", "namespace"])?;
    let namespace = bound.text_or(1, NAMESPACE)?;
    let namespace = Uuid::parse_str(&namespace).map_err(|_| Fault::failed(format!("the namespace `{namespace}` is no UUID")))?;
    Ok(Val::str(Uuid::new_v5(&namespace, bound.text(0)?.as_bytes()).to_string()))
}

fn encrypt(arguments: Arguments, scope: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["data", "secret", "salt", "vault_id", "wrap_object", "vaultid"])?;
    let secret = bound.text(1)?;
    scope.context.controller.redactor.learn(&secret);
    let id = bound.text_or(3, "filter_default")?;
    let (plain, secret) = (bytes(bound.required(0)?)?, Secret::new(secret.as_ref()));
    let text = match bound.some_text(2)?.filter(|salt| !salt.is_empty()) {
        Some(salt) => vault::encrypt_with_salt(&plain, &secret, Some(&id), salt.as_bytes()),
        None => vault::encrypt(&plain, &secret, Some(&id)),
    };
    text.map(Val::str).map_err(|error| Fault::failed(error.to_string()))
}

fn decrypt(arguments: Arguments, scope: &Arc<Scope>) -> Outcome<Val> {
    let bound = arguments.bind(["vault", "secret", "vault_id", "vaultid"])?;
    let text = bound.text(0)?;
    if !vault::is_vault(&text) {
        return Ok(Val::Str(text));
    }
    let secret = bound.text(1)?;
    scope.context.controller.redactor.learn(&secret);
    let mut secrets = vault::Secrets::default();
    secrets.add(bound.text_or(2, "filter_default")?.as_ref(), Secret::new(secret.as_ref()));
    let plain = secrets.decrypt_text(&text).map_err(|error| Fault::failed(error.to_string()))?;
    scope.context.controller.redactor.learn(&plain);
    Ok(Val::str(plain))
}
