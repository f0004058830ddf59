//! TLS for HTTP clients, made when first needed: roots are compiled in, so a host without a CA store does not fail.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

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

/// One that takes whatever certificate the server shows.
///
/// # Errors
/// The client cannot be made.
pub fn unchecked_client(timeout: Duration) -> Result<reqwest::Client> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let configuration = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|cause| Error::Authority(cause.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustAnyone(provider)))
        .with_no_client_auth();
    let builder = reqwest::Client::builder().tls_backend_preconfigured(configuration).connect_timeout(Duration::from_secs(10));
    let builder = builder.timeout(timeout).redirect(reqwest::redirect::Policy::none()).no_proxy();
    builder.user_agent(concat!("hostler/", env!("CARGO_PKG_VERSION"))).build().map_err(|cause| Error::Authority(cause.to_string()))
}

/// Checks that the server holds the key of its certificate, and not whose it is.
#[derive(Debug)]
struct TrustAnyone(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
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
