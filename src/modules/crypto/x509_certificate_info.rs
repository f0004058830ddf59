//! `community.crypto.x509_certificate_info`: what a certificate says.

use std::path::PathBuf;

use sha2::Digest;
use x509_parser::prelude::{GeneralName, ParsedExtension, X509Certificate, X509Name};

use crate::base::{Map, Value};
use crate::modules::{Module, Output, Rule, module_args};
use crate::system::{Failure, Result, System};

pub struct X509CertificateInfo;

module_args! {
    /// Tells subject, names, times and key of a certificate.
    pub struct CertificateInfoArgs {
        /// File of the certificate.
        path: Option<PathBuf>,
        /// The certificate itself, in PEM form.
        content: Option<String>,
        /// Moments to tell the validity at: names with times such as `+2w`, or `20301231235959Z`.
        valid_at: Map = Map::new(),
    }
    accepts {
        /// How to write names with other letters.
        name_encoding: String,
        /// The library to use; one in Rust is used.
        select_crypto_backend: String,
    }
    rules [Rule::OneOf(&["path", "content"]), Rule::Exclusive(&["path", "content"])]
}

impl Module for X509CertificateInfo {
    const NAME: &'static str = "community.crypto.x509_certificate_info";
    type Args = CertificateInfoArgs;

    fn run(args: CertificateInfoArgs, sys: &mut System) -> Result<Output> {
        let bytes = match (&args.path, &args.content) {
            (Some(path), _) => sys.query_content(path)?.as_ref().clone(),
            (None, content) => content.clone().unwrap_or_default().into_bytes(),
        };
        let bad = |why: String| Failure::new(format!("cannot read the certificate: {why}"));
        let der = match bytes.starts_with(b"0\x82") {
            true => bytes,
            false => x509_parser::pem::parse_x509_pem(&bytes).map_err(|error| bad(error.to_string()))?.1.contents,
        };
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).map_err(|error| bad(error.to_string()))?;
        let now = sys.query_time().timestamp().as_second();
        describe(&certificate, &der, &args.valid_at, now)
    }
}

fn describe(certificate: &X509Certificate<'_>, der: &[u8], valid_at: &Map, now: i64) -> Result<Output> {
    let validity = certificate.validity();
    let (from, to) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    let checks = valid_at.iter().map(|(name, time)| {
        let at = moment(&time.to_text(), now)?;
        Ok((name.clone(), Value::Bool(from <= at && at <= to)))
    });
    let checks: Map = checks.collect::<Result<Vec<_>>>()?.into_iter().collect();
    let serial = certificate.tbs_certificate.serial.to_string();
    let constraints = certificate.basic_constraints().ok().flatten();
    let (subject, issuer) = (name_of(certificate.subject()), name_of(certificate.issuer()));
    let ordered = |name: &[(String, String)]| Value::list(name.iter().map(|(key, value)| Value::list([key.as_str(), value.as_str()])));
    Ok(Output::new()
        .with("expired", to < now)
        .with("not_before", written(from))
        .with("not_after", written(to))
        .with("subject_ordered", ordered(&subject))
        .with("issuer_ordered", ordered(&issuer))
        .with("subject", Value::map(subject))
        .with("issuer", Value::map(issuer))
        .with("serial_number", serial.parse::<i64>().map_or_else(|_| serial.clone().into(), Value::Int))
        .with("version", certificate.version().0 + 1)
        .with("signature_algorithm", algorithm(&certificate.signature_algorithm.algorithm.to_id_string()))
        .with("subject_alt_name", alternative_names(certificate))
        .with(
            "basic_constraints",
            constraints.as_ref().map(|found| Value::list([format!("CA:{}", if found.value.ca { "TRUE" } else { "FALSE" })])),
        )
        .with("basic_constraints_critical", constraints.as_ref().is_some_and(|found| found.critical))
        .with("fingerprints", fingerprints(der))
        .with("valid_at", checks))
}

fn name_of(name: &X509Name<'_>) -> Vec<(String, String)> {
    let attributes = name.iter_attributes().map(|attribute| {
        let id = attribute.attr_type().to_id_string();
        let key = match id.as_str() {
            "2.5.4.3" => "commonName",
            "2.5.4.6" => "countryName",
            "2.5.4.7" => "localityName",
            "2.5.4.8" => "stateOrProvinceName",
            "2.5.4.10" => "organizationName",
            "2.5.4.11" => "organizationalUnitName",
            "1.2.840.113549.1.9.1" => "emailAddress",
            other => other,
        };
        (key.to_owned(), attribute.as_str().unwrap_or_default().to_owned())
    });
    attributes.collect()
}

fn algorithm(id: &str) -> String {
    let known = match id {
        "1.2.840.113549.1.1.5" => "sha1WithRSAEncryption",
        "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption",
        "1.2.840.113549.1.1.12" => "sha384WithRSAEncryption",
        "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption",
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
        "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384",
        "1.3.101.112" => "ED25519",
        other => other,
    };
    known.to_owned()
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Value {
    let extension = certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => Some(names),
        _ => None,
    });
    let Some(names) = extension else { return Value::Null };
    let texts = names.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(format!("DNS:{name}")),
        GeneralName::RFC822Name(name) => Some(format!("email:{name}")),
        GeneralName::URI(name) => Some(format!("URI:{name}")),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| format!("IP:{}", std::net::Ipv4Addr::from(bytes))),
            16 => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| format!("IP:{}", std::net::Ipv6Addr::from(bytes))),
            _ => None,
        },
        _ => None,
    });
    Value::list(texts)
}

fn fingerprints(der: &[u8]) -> Value {
    let colons = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":");
    Value::map([
        ("sha1", colons(&sha1::Sha1::digest(der))),
        ("sha256", colons(&sha2::Sha256::digest(der))),
        ("sha512", colons(&sha2::Sha512::digest(der))),
    ])
}

/// A moment as ASN.1 writes it.
fn written(seconds: i64) -> String {
    let moment = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    moment.strftime("%Y%m%d%H%M%SZ").to_string()
}

/// `+1w2d3h4m5s` from now, or `YYYYMMDDHHMMSSZ`.
fn moment(text: &str, now: i64) -> Result<i64> {
    let bad = || Failure::new(format!("`{text}` is no moment; write `+2w` or `20301231235959Z`")).at("valid_at");
    if let Some(date) = text.strip_suffix('Z') {
        let parsed = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", date).map_err(|_| bad())?;
        return Ok(parsed.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| bad())?.timestamp().as_second());
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (mut total, mut digits) = (0i64, String::new());
    for c in text.trim_start_matches(['+', '-']).chars() {
        let unit = match c {
            'w' => 604_800,
            'd' => 86_400,
            'h' => 3600,
            'm' => 60,
            's' => 1,
            digit if digit.is_ascii_digit() => {
                digits.push(digit);
                continue;
            }
            _ => return Err(bad()),
        };
        total += digits.parse::<i64>().map_err(|_| bad())? * unit;
        digits.clear();
    }
    if digits.is_empty() { Ok(now + sign * total) } else { Err(bad()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn a_certificate_tells_its_names_and_times() {
        let made = rcgen::generate_simple_self_signed(vec!["idp.example.org".into(), "10.0.0.1".into()]).expect("makes one");
        let mut machine = Machine::new(Overlay::empty().with_file("/etc/ssl/own.pem", &made.cert.pem()));
        let task = "community.crypto.x509_certificate_info: { path: /etc/ssl/own.pem, valid_at: { soon: +1d, long_ago: 19700102000000Z } }";
        let values = machine.task(task).expect("runs").output.values;
        assert_eq!(values.get("subject_alt_name"), Some(&Value::list(["DNS:idp.example.org", "IP:10.0.0.1"])));
        assert_eq!(values.get("expired"), Some(&Value::Bool(false)));
        assert_eq!(values.get("valid_at").map(Value::to_repr).as_deref(), Some("{'soon': True, 'long_ago': False}"));
        let refused = machine.refusal("community.crypto.x509_certificate_info: { content: nonsense }");
        assert!(refused.starts_with("cannot read the certificate"), "{refused}");
    }
}
