//! `hostler.keycloak.verify`: a user logs in through the public URL and has the groups that are expected.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::connection::{authorities, failure};
use crate::base::{Map, Secret, Value};
use crate::keycloak::login::{LoggedIn, Login, log_in};
use crate::keycloak::{Error, Json, blocking};
use crate::modules::{Module, Output, module_args};
use crate::system::{Failure, Result, System};

pub struct Verify;

module_args! {
    /// Logs in as a user through the public URL, by password grant where the client allows it, else through the login form, and reads the
    /// token. Never changes anything. The user must have no required action waiting, so a user with a temporary password is not one to verify
    /// with.
    pub struct VerifyArgs {
        /// The public URL of Keycloak, as users see it.
        url: String,
        /// The realm to log in to.
        realm: String,
        /// The client that logs the user in.
        client_id: String,
        /// Its secret, when it has one.
        client_secret: Option<Secret>,
        /// The user.
        username: String,
        /// The user's password.
        password: Secret,
        /// Groups that the token must name in its claim `groups`.
        expect_groups: Vec<String> = Vec::<String>::new(),
        /// Where the client lets Keycloak send the code; needed when the client takes no passwords itself.
        redirect_uri: Option<String>,
        /// The scopes to ask for.
        scope: String = "openid",
        /// A PEM file on the host with authorities to trust besides the public ones.
        ca_file: Option<PathBuf>,
        /// Host names mapped to addresses (`idp.example.org: 127.0.0.1`), for testing the public URL from the host itself.
        resolve: Option<Map>,
    }
}

impl Module for Verify {
    const NAME: &'static str = "hostler.keycloak.verify";
    type Args = VerifyArgs;

    fn run(args: VerifyArgs, sys: &mut System) -> Result<Output> {
        // In a dry run the authority's file may be one that only the real run brings.
        let ca_pem = match authorities(args.ca_file.as_deref(), sys) {
            Err(_) if sys.backend().is_dry() => return Ok(not_yet(&args.url)),
            other => other?,
        };
        let login = Login {
            resolve: addresses(args.resolve.as_ref())?,
            url: args.url.clone(),
            realm: args.realm,
            client_id: args.client_id,
            client_secret: args.client_secret,
            username: args.username,
            password: args.password,
            redirect_uri: args.redirect_uri,
            scope: args.scope,
            ca_pem,
        };
        match blocking::run(|| log_in(&login)) {
            // What is to be verified is not there before the run that makes it.
            Err(Error::Unreachable { .. } | Error::Login { .. } | Error::Html { .. }) if sys.backend().is_dry() => Ok(not_yet(&args.url)),
            other => proven(other.map_err(failure)?, &args.expect_groups),
        }
    }
}

fn not_yet(url: &str) -> Output {
    Output::new().message(format!("no login at {url} yet: known after the run")).skipped()
}

fn proven(found: LoggedIn, expected: &[String]) -> Result<Output> {
    let missing: Vec<&str> = expected.iter().filter(|group| !found.groups.contains(group)).map(String::as_str).collect();
    let groups = Value::list(found.groups.iter().map(String::as_str));
    if !missing.is_empty() {
        let has = if found.groups.is_empty() { "no groups at all".to_owned() } else { found.groups.join(", ") };
        let message =
            format!("the login works, but the token does not name {}: it has {has}; check the group mapper's claim", missing.join(", "));
        return Err(Failure::new(message).at("expect_groups").with("groups", groups));
    }
    let issuer = found.claims.get("iss").and_then(Json::as_str).unwrap_or_default();
    let issuer = Value::from(issuer);
    Ok(Output::new()
        .with("groups", groups)
        .with("grant", found.grant)
        .with("issuer", issuer)
        .with("claims", Value::from_json(Json::Object(found.claims))))
}

/// `{host: address}`, with or without a port; without one the URL's own holds.
fn addresses(map: Option<&Map>) -> Result<Vec<(String, SocketAddr)>> {
    let parse = |text: &str| text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, 0)));
    let pair = |(host, address): (&crate::base::Key, &Value)| {
        let text = address.to_text();
        let parsed = parse(&text).ok_or_else(|| Failure::new(format!("`{text}` is not an IP address")).at("resolve"))?;
        Ok((host.to_string(), parsed))
    };
    map.into_iter().flat_map(Map::iter).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(groups: &[&str]) -> LoggedIn {
        LoggedIn { groups: groups.iter().map(|group| (*group).to_owned()).collect(), ..LoggedIn::default() }
    }

    #[test]
    fn a_missing_group_fails_with_what_is_there() {
        let failure = proven(found(&["/Staff"]), &["/Staff/Admins".into()]).expect_err("it is missing");
        assert!(failure.message.contains("does not name /Staff/Admins: it has /Staff;"), "{failure}");
        assert!(proven(found(&["/Staff"]), &["/Staff".into()]).is_ok());
    }

    #[test]
    fn a_host_name_is_mapped_to_an_address_with_the_port_of_the_url() {
        let map: Map = [("idp.test", "127.0.0.1"), ("b", "[::1]:8443")].into_iter().collect();
        let found = addresses(Some(&map)).expect("they are addresses");
        assert_eq!(found[0], ("idp.test".to_owned(), "127.0.0.1:0".parse().expect("is one")));
        assert_eq!(found[1].1.port(), 8443);
        assert!(addresses(Some(&[("a", "b")].into_iter().collect())).is_err());
    }
}
