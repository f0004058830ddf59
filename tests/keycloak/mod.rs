//! The realm on a real Keycloak. One server serves all claims, since it takes a minute to start; each claim has a realm of its own.

mod access;
mod application;
mod cli;
mod community;
mod declared;
mod device;
mod examples;
mod faults;
mod flows;
mod interrupted;
mod keeps;
mod kinds;
mod older;
mod platforms;
mod readme;
mod secrets;
mod server;
mod shorthand;
mod terraform;
mod traps;

use std::panic::{AssertUnwindSafe, catch_unwind};

use server::Server;

type Claim = (&'static str, fn(&Server));

/// All of them run, and all that fail are named.
#[test]
fn every_claim_about_the_realm_holds_on_a_real_keycloak() {
    let _turn = crate::support::turn();
    let server = Server::start();
    let claims = [
        declared::CLAIMS,
        kinds::CLAIMS,
        traps::CLAIMS,
        keeps::CLAIMS,
        interrupted::CLAIMS,
        flows::CLAIMS,
        access::CLAIMS,
        community::CLAIMS,
        cli::CLAIMS,
        examples::CLAIMS,
        application::CLAIMS,
        device::CLAIMS,
        platforms::CLAIMS,
        readme::CLAIMS,
        secrets::CLAIMS,
        shorthand::CLAIMS,
        terraform::CLAIMS,
    ]
    .concat();
    hold(&server, &claims);
}

fn hold(server: &Server, claims: &[Claim]) {
    let wanted = std::env::var("HOSTLER_TEST_CLAIM").unwrap_or_default();
    let failed: Vec<&str> = claims
        .iter()
        .filter(|(name, _)| name.contains(&wanted))
        .filter(|(_, claim)| catch_unwind(AssertUnwindSafe(|| claim(server))).is_err())
        .map(|(name, _)| *name)
        .collect();
    assert!(failed.is_empty(), "these do not hold: {failed:#?}");
}
