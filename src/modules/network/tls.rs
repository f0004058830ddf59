//! Trust for HTTPS: the host's own certificate bundle where it has one, else the roots compiled in; or a bundle of the user's; or, when
//! asked, no check at all. A host without a certificate store must not fail.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::system::{Failure, Result, System};

/// Where Debian and most others keep the bundle.
const BUNDLES: &[&str] = &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// What a connection trusts, and shows of itself.
#[derive(Clone, Debug, Default)]
pub struct Trust<'a> {
    pub validate: bool,
    pub ca_path: Option<&'a Path>,
    pub client_cert: Option<&'a Path>,
    pub client_key: Option<&'a Path>,
}

/// The settings of TLS for one connection.
pub fn client_config(trust: &Trust<'_>, sys: &System) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let failed = |error: rustls::Error| Failure::new(format!("TLS cannot be set up: {error}"));
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().map_err(failed)?;
    let builder = match trust.validate {
        true => builder.with_root_certificates(roots(trust.ca_path, sys)?),
        false => builder.dangerous().with_custom_certificate_verifier(Arc::new(TrustAnyone(provider))),
    };
    let Some(certificate) = trust.client_cert else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(certificate, "client_cert", sys)?;
    let key_path = trust.client_key.unwrap_or(certificate);
    let key = PrivateKeyDer::from_pem_slice(&sys.query_content(key_path)?)
        .map_err(|error| Failure::new(format!("`{}` holds no private key: {error}", key_path.display())).at("client_key"))?;
    builder.with_client_auth_cert(chain, key).map_err(|error| Failure::new(format!("the client's certificate cannot be used: {error}")))
}

fn roots(ca_path: Option<&Path>, sys: &System) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    if let Some(path) = ca_path {
        store.add_parsable_certificates(certificates(path, "ca_path", sys)?);
        return Ok(store);
    }
    for bundle in BUNDLES.iter().map(Path::new) {
        if sys.query_file(bundle)?.is_some() {
            store.add_parsable_certificates(certificates(bundle, "ca_path", sys)?);
        }
    }
    if store.is_empty() {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Ok(store)
}

fn certificates(path: &Path, option: &str, sys: &System) -> Result<Vec<CertificateDer<'static>>> {
    let content = sys.query_content(path)?;
    let read = CertificateDer::pem_slice_iter(&content).collect::<std::result::Result<Vec<_>, _>>();
    read.map_err(|error| Failure::new(format!("`{}` holds no certificates: {error}", path.display())).at(option))
}

/// `validate_certs: false`.
#[derive(Debug)]
struct TrustAnyone(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
