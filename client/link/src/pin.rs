//! Accepts a server by the pin of its link, and by nothing else.
//!
//! The chain must be leaf and root. The root's public key must hash to the pin; then rustls' own
//! webpki verifier checks the leaf against that root as the only anchor: signature, validity, host
//! name, purpose. There is no way to switch any of it off.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use p256::ecdsa::Signature;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};
use webpki::EndEntityCert;
use webpki::aws_lc_rs::ECDSA_P256_SHA256;

/// Verifies the server's chain against the pin of a link. One per connection attempt, since it
/// remembers a refusal: the TLS alert alone would not tell a wrong identity from other faults.
pub struct PinnedVerifier {
    pin: [u8; 32],
    provider: Arc<CryptoProvider>,
    wrong_identity: AtomicBool,
}

impl PinnedVerifier {
    /// Makes a verifier for `pin`, SHA-256 over the root's SubjectPublicKeyInfo in DER.
    pub fn new(pin: [u8; 32], provider: Arc<CryptoProvider>) -> Self {
        Self { pin, provider, wrong_identity: AtomicBool::new(false) }
    }

    /// Tells whether a server was refused because it did not prove the pinned identity: another
    /// root, or a leaf that the root did not sign.
    pub fn saw_wrong_identity(&self) -> bool {
        self.wrong_identity.load(Ordering::Acquire)
    }

    /// Returns the chain's root if it is the pinned one.
    fn pinned_root<'a>(
        &self,
        chain_above: &'a [CertificateDer<'a>],
    ) -> Option<&'a CertificateDer<'a>> {
        let [root] = chain_above else { return None };
        let anchor = webpki::anchor_from_trusted_cert(root).ok()?;
        let spki = webpki::spki_for_anchor(&anchor);
        (Sha256::digest(spki.as_ref())[..] == self.pin).then_some(root)
    }

    fn verify_with_root(
        &self,
        root: &CertificateDer<'_>,
        leaf: &CertificateDer<'_>,
        host: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(root.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?
            .verify_server_cert(leaf, &[], host, &[], now)
    }
}

impl ServerCertVerifier for PinnedVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain_above: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let result = match self.pinned_root(chain_above) {
            Some(root) => self.verify_with_root(root, leaf, host, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        if let Err(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) = result
        {
            self.wrong_identity.store(true, Ordering::Release);
        }
        result
    }

    /// Refuses: TLS 1.2 is not spoken.
    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _leaf: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, leaf, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

impl fmt::Debug for PinnedVerifier {
    /// rustls asks for it. The pin is public, the rest says nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinnedVerifier").finish_non_exhaustive()
    }
}

/// A signature that no key of the server made over this message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server's signature is wrong; disconnect, and tell whoever runs the server")]
pub struct SignatureError;

/// Verifies that the key of a certificate, the leaf or the root of a verified connection, signed `message`:
/// ECDSA P-256 SHA-256, `signature` is r ‖ s, big-endian.
///
/// # Errors
/// [`SignatureError`] otherwise.
pub fn verify_signature(
    certificate: &CertificateDer<'_>,
    message: &[u8],
    signature: &[u8; 64],
) -> Result<(), SignatureError> {
    let signature = Signature::from_slice(signature).map_err(|_| SignatureError)?;
    EndEntityCert::try_from(certificate)
        .and_then(|cert| {
            cert.verify_signature(ECDSA_P256_SHA256, message, signature.to_der().as_bytes())
        })
        .map_err(|_| SignatureError)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No pin, however odd the chain: garbage is refused without a panic.
    #[test]
    fn garbage_chains_are_refused_as_wrong_identity() {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let host = ServerName::try_from("localhost").unwrap();
        let garbage = CertificateDer::from(vec![0x30, 0x82, 0xff, 0xff, 0]);
        let empty = CertificateDer::from(Vec::new());
        let chains = [vec![], vec![garbage.clone()], vec![empty], vec![garbage.clone(); 2]];
        for chain in chains {
            let verifier = PinnedVerifier::new([0; 32], provider.clone());
            let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1 << 30));
            assert!(verifier.verify_server_cert(&garbage, &chain, &host, &[], now).is_err());
            assert!(verifier.saw_wrong_identity());
        }
    }

    #[test]
    fn garbage_signatures_are_refused() {
        let garbage = CertificateDer::from(vec![1, 2, 3]);
        for bytes in [[0; 64], [1; 64], [0xff; 64]] {
            assert_eq!(verify_signature(&garbage, b"message", &bytes), Err(SignatureError));
        }
    }
}
