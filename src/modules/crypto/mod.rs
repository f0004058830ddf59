//! Modules about keys and certificates. Private keys go through standard input and files of mode 0600 only, never through arguments.

mod openssl_privatekey;
mod x509_certificate_info;

use super::registry::Entry;

pub(super) const MODULES: &[Entry] =
    &[Entry::of::<openssl_privatekey::OpensslPrivatekey>(), Entry::of::<x509_certificate_info::X509CertificateInfo>()];
