//! TLS for HTTP clients, made when first needed: roots are compiled in, so a host without a CA store does not fail.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::error::{Error, Result};

/// An HTTP client that trusts the public roots and, when given, the authorities of a PEM text. `resolve` maps host names to addresses.
///
/// # Errors
/// When the PEM text holds no certificate.
pub fn http_client(ca_pem: Option<&[u8]>, resolve: &[(String, SocketAddr)], timeout: Duration) -> Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(configuration(ca_pem)?)
        .connect_timeout(Duration::from_secs(10))
        .timeout(timeout)
        .pool_max_idle_per_host(16)
        // The Admin API never redirects, and a login is followed by hand: a redirect carries what the next step needs.
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("hostler/", env!("CARGO_PKG_VERSION")));
    for (host, address) in resolve {
        builder = builder.resolve(host, *address);
    }
    builder.build().map_err(|cause| Error::Authority(cause.to_string()))
}

fn configuration(ca_pem: Option<&[u8]>) -> Result<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(pem) = ca_pem {
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|cause| Error::Authority(cause.to_string()))?;
            roots.add(certificate).map_err(|cause| Error::Authority(cause.to_string()))?;
        }
        if roots.len() == before {
            return Err(Error::Authority("it holds no PEM certificate".into()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| Error::Authority(cause.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
