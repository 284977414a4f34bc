//! The server's identity: a root key that is kept, and a leaf certificate made at each start.
//!
//! Clients know the server by the root's *pin* alone, the part of the link after `#`. The root signs
//! leaves and heads of the directory; its certificate is remade from the key and never stored.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use rand_core::OsRng;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SignatureAlgorithm,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// How long before its making a leaf is already valid, for clients whose clock is behind.
/// Two days: a client refuses rounds that are more than one day away from its clock anyway.
pub const LEAF_EARLY: Duration = Duration::from_secs(2 * DAY_SECONDS);

/// How long after its making a leaf is valid. A server must be restarted more often than that.
pub const LEAF_LIFE: Duration = Duration::from_secs(800 * DAY_SECONDS);

/// The longest public host name, in bytes (RFC 1035, section 2.3.4).
pub const HOST_BYTES_MAX: usize = 253;

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// 1 January 2200, the latest time that is taken from the clock: keeps dates in X.509's range.
const LATEST_START: Duration = Duration::from_secs(7_258_118_400);

/// Why an identity could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The bytes are not a P-256 private key in PKCS#8.
    #[error("the stored root key is damaged; restore the data directory from a backup")]
    Key,
    /// The public host is neither a DNS name nor an IP address.
    #[error("{0:?} is neither a host name nor an IP address; give --public HOST:PORT")]
    Host(String),
    /// rcgen could not write the certificate.
    #[error("cannot make the server's certificate: {0}; report this")]
    Certificate(#[from] rcgen::Error),
}

/// The root key, P-256: the server's identity for as long as it exists. Erased on drop.
pub struct RootKey(Signer);

impl RootKey {
    /// Draws a new root key from the system's generator.
    pub fn generate() -> Self {
        Self(Signer::generate())
    }

    /// Reads a root key that [`Self::to_pkcs8`] wrote. Fails on anything but a P-256 key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, IdentityError> {
        let key = SigningKey::from_pkcs8_der(der).map_err(|_| IdentityError::Key)?;
        Ok(Self(Signer::new(key)))
    }

    /// Writes the root key as PKCS#8 DER, about 140 bytes, erased when dropped.
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        self.0.to_pkcs8()
    }

    /// Returns the pin: SHA-256 over the root's SubjectPublicKeyInfo in DER.
    pub fn pin(&self) -> [u8; 32] {
        Sha256::digest(self.0.subject_public_key_info()).into()
    }

    /// Signs `message` with ECDSA P-256 SHA-256; returns r ‖ s, big-endian. A message begins with a label of
    /// its own, which no certificate does: those begin with a DER sequence.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign_message(message)
    }

    /// Makes the self-signed root certificate. The same key gives the same bytes each time: its
    /// dates and serial number are fixed and the signature is deterministic (RFC 6979).
    pub fn certificate(&self) -> Result<CertificateDer<'static>, IdentityError> {
        Ok(root_params().self_signed(&self.0)?.into())
    }
}

/// The leaf key and certificate, made at each start and never stored. Erased on drop.
pub struct Leaf {
    signer: Signer,
    chain: Vec<CertificateDer<'static>>,
}

impl Leaf {
    /// Makes a leaf for `host`, a DNS name or an IP address (an IPv6 address with or without
    /// brackets), valid from [`LEAF_EARLY`] before `now` to [`LEAF_LIFE`] after it.
    pub fn new(root: &RootKey, host: &str, now: SystemTime) -> Result<Self, IdentityError> {
        let signer = Signer::generate();
        let root_params = root_params();
        let issuer = Issuer::from_params(&root_params, &root.0);
        let leaf = leaf_params(host, now)?.signed_by(&signer, &issuer)?;
        Ok(Self { signer, chain: vec![leaf.into(), root.certificate()?] })
    }

    /// Signs `message` with ECDSA P-256 SHA-256; returns r ‖ s, big-endian. TLS signs with the same
    /// key, so a message begins with a label of its own and never with 64 spaces (RFC 8446, 4.4.3).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signer.sign_message(message)
    }

    /// Returns the chain as sent to clients: leaf, root.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.clone()
    }

    /// Returns a copy of the leaf key for rustls.
    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.signer.to_pkcs8().to_vec()).into()
    }
}

/// A P-256 key that rcgen can sign with, so that no key is copied into rcgen. The key itself
/// erases its scalar when dropped.
struct Signer {
    key: SigningKey,
    /// The public point, uncompressed, as it stands in SubjectPublicKeyInfo.
    point: Vec<u8>,
}

impl Signer {
    fn generate() -> Self {
        Self::new(SigningKey::random(&mut OsRng))
    }

    fn new(key: SigningKey) -> Self {
        let point = VerifyingKey::from(&key).to_encoded_point(false).as_bytes().to_vec();
        Self { key, point }
    }

    /// Returns r ‖ s.
    fn sign_message(&self, message: &[u8]) -> [u8; 64] {
        let signature: Signature = self.key.sign(message);
        signature.to_bytes().into()
    }

    fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        let secret = p256::SecretKey::from(self.key.as_nonzero_scalar());
        secret.to_pkcs8_der().expect("a P-256 key always has an encoding").to_bytes()
    }
}

impl PublicKeyData for Signer {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Signer {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature: Signature = self.key.sign(message);
        Ok(signature.to_der().as_bytes().to_vec())
    }
}

/// The root's parameters: rcgen's fixed dates (1975–4096), a name, and no intermediate below it.
fn root_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name("iirs root");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn leaf_params(host: &str, now: SystemTime) -> Result<CertificateParams, IdentityError> {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().min(LATEST_START);
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name("iirs server");
    params.subject_alt_names = vec![alt_name(host)?];
    params.not_before = epoch + now.saturating_sub(LEAF_EARLY);
    params.not_after = epoch + now + LEAF_LIFE;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// Reads a host as the client's rustls will read it, so that no leaf is made that none accepts.
fn alt_name(host: &str) -> Result<SanType, IdentityError> {
    let refuse = || IdentityError::Host(host.chars().take(HOST_BYTES_MAX).collect());
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let name = rustls::pki_types::DnsName::try_from(host).map_err(|_| refuse())?;
    Ok(SanType::DnsName(name.as_ref().try_into().map_err(|_| refuse())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_key_survives_writing_and_reading() {
        let root = RootKey::generate();
        let again = RootKey::from_pkcs8(&root.to_pkcs8()).unwrap();
        assert_eq!(root.pin(), again.pin());
        assert_eq!(root.certificate().unwrap(), again.certificate().unwrap());
        assert_ne!(root.pin(), RootKey::generate().pin());
    }

    #[test]
    fn a_damaged_root_key_is_an_error() {
        let mut der = RootKey::generate().to_pkcs8();
        assert!(RootKey::from_pkcs8(&[]).is_err());
        assert!(RootKey::from_pkcs8(&der[..der.len() - 1]).is_err());
        der[20] ^= 1;
        assert!(RootKey::from_pkcs8(&der).is_err());
    }

    #[test]
    fn a_leaf_is_made_for_names_and_addresses_only() {
        let root = RootKey::generate();
        let now = SystemTime::now();
        for host in ["chat.example.org", "localhost", "127.0.0.1", "::1", "[::1]"] {
            assert_eq!(Leaf::new(&root, host, now).unwrap().chain().len(), 2, "{host}");
        }
        let long = "a.".repeat(HOST_BYTES_MAX);
        for host in ["", "a b", "127.0.0.1:443", "ä.example", "-", "[::1", long.as_str()] {
            assert!(matches!(Leaf::new(&root, host, now), Err(IdentityError::Host(_))), "{host}");
        }
    }

    #[test]
    fn a_leaf_signs_for_its_own_key() {
        use p256::ecdsa::signature::Verifier as _;

        let leaf = Leaf::new(&RootKey::generate(), "localhost", SystemTime::now()).unwrap();
        let signature = Signature::from_slice(&leaf.sign(b"message")).unwrap();
        let public = VerifyingKey::from_sec1_bytes(&leaf.signer.point).unwrap();
        assert!(public.verify(b"message", &signature).is_ok());
        assert!(public.verify(b"other", &signature).is_err());
    }

    #[test]
    fn the_root_signs_for_the_pinned_key() {
        use p256::ecdsa::signature::Verifier as _;

        let root = RootKey::generate();
        let signature = Signature::from_slice(&root.sign(b"message")).unwrap();
        let public = VerifyingKey::from_sec1_bytes(&root.0.point).unwrap();
        assert!(public.verify(b"message", &signature).is_ok());
        assert_eq!(
            root.sign(b"message"),
            RootKey::from_pkcs8(&root.to_pkcs8()).unwrap().sign(b"message")
        );
    }

    #[test]
    fn a_mad_clock_makes_no_panic() {
        let root = RootKey::generate();
        for now in [UNIX_EPOCH - Duration::from_secs(1), UNIX_EPOCH + Duration::from_secs(1 << 40)]
        {
            assert!(Leaf::new(&root, "localhost", now).is_ok());
        }
    }
}
