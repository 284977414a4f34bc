//! The OPAQUE suite (RFC 9807): P-256, SHA-256, 3DH, Argon2id, in messages of fixed size.
//!
//! Registration takes no context. Login is bound to the server's pin and to the TLS exporter of the
//! connection, so that nobody in between can pass it on.

use argon2::{Algorithm, Argon2, Params, Version};
use opaque_ke::{
    CipherSuite, ClientLogin, ClientLoginFinishParameters, ClientRegistration,
    ClientRegistrationFinishParameters, CredentialFinalization, CredentialRequest,
    CredentialResponse, Identifiers, RegistrationRequest, RegistrationResponse, RegistrationUpload,
    ServerLogin, ServerLoginParameters, ServerRegistration, ServerSetup,
};
use rand_core::CryptoRngCore;
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::account::Stretching;
use crate::ids::Name;
use crate::kdf::{Label, Secret, hash};
use crate::link::Pin;
use crate::public_key::PublicKey;
use crate::size::{
    CREDENTIAL_FINALIZATION, CREDENTIAL_REQUEST, CREDENTIAL_RESPONSE, HASH, KEY, PUBLIC_KEY,
    REGISTRATION_REQUEST, REGISTRATION_RESPONSE, REGISTRATION_UPLOAD,
};

const LOGIN_CONTEXT: Label = Label("iirs 1 login context");
const LOCAL_SALT: usize = 16;

/// Label of the TLS exporter (RFC 8446, section 7.5) that login is bound to; its context is empty, its
/// output 32 bytes.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-iirs-1-login";

struct Suite;

impl CipherSuite for Suite {
    type OprfCs = p256::NistP256;
    type KeyExchange = opaque_ke::TripleDh<p256::NistP256, Sha256>;
    type Ksf = Argon2<'static>;
}

/// Why a step of registration or login failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LoginError {
    /// Wrong password, unknown name, or somebody between client and server.
    #[error("wrong name or password")]
    WrongCredentials,
    /// The message is not one of the protocol.
    #[error("malformed login message")]
    Malformed,
    /// The cost is outside of what Argon2 takes.
    #[error("impossible stretching cost")]
    Stretching,
}

/// What login is bound to: SHA-256 over server identity and TLS exporter.
pub struct LoginContext {
    hash: [u8; HASH],
    pin: Pin,
}

impl LoginContext {
    /// Binds login to the server's identity and to one TLS connection.
    pub fn new(pin: Pin, exporter: &[u8; KEY]) -> Self {
        Self { hash: hash(LOGIN_CONTEXT, &[&pin.0, exporter]), pin }
    }
}

/// What a client keeps between its two registration steps.
pub struct RegisterState {
    state: ClientRegistration<Suite>,
    name: Name,
    pin: Pin,
}

/// First step of the client.
///
/// # Errors
/// [`LoginError::Malformed`] for a password of over 65,535 bytes.
pub fn register_start(
    name: Name,
    pin: Pin,
    password: &[u8],
    rng: &mut impl CryptoRngCore,
) -> Result<(RegisterState, [u8; REGISTRATION_REQUEST]), LoginError> {
    let start =
        ClientRegistration::<Suite>::start(rng, password).map_err(|_| LoginError::Malformed)?;
    let request = sized(&start.message.serialize());
    Ok((RegisterState { state: start.state, name, pin }, request))
}

impl RegisterState {
    /// Second step of the client; stretches the password, which takes long on purpose.
    ///
    /// Returns the upload and the export key.
    ///
    /// # Errors
    /// [`LoginError`] if the response is malformed or the cost impossible.
    pub fn finish(
        self,
        password: &[u8],
        response: &[u8; REGISTRATION_RESPONSE],
        stretching: &Stretching,
        rng: &mut impl CryptoRngCore,
    ) -> Result<([u8; REGISTRATION_UPLOAD], Secret), LoginError> {
        let response =
            RegistrationResponse::deserialize(response).map_err(|_| LoginError::Malformed)?;
        let ksf = argon2(stretching)?;
        let identifiers = identifiers(&self.name, &self.pin);
        let parameters = ClientRegistrationFinishParameters::new(identifiers, Some(&ksf));
        let finish = self
            .state
            .finish(rng, password, response, parameters)
            .map_err(|_| LoginError::Malformed)?;
        let export = Zeroizing::new(<[u8; KEY]>::from(finish.export_key));
        Ok((sized(&finish.message.serialize()), Secret::new(*export)))
    }
}

/// What a client keeps between its two login steps.
pub struct LoginState {
    state: ClientLogin<Suite>,
    name: Name,
}

/// First step of the client.
///
/// # Errors
/// [`LoginError::Malformed`] for a password of over 65,535 bytes.
pub fn login_start(
    name: Name,
    password: &[u8],
    rng: &mut impl CryptoRngCore,
) -> Result<(LoginState, [u8; CREDENTIAL_REQUEST]), LoginError> {
    let start = ClientLogin::<Suite>::start(rng, password).map_err(|_| LoginError::Malformed)?;
    let request = sized(&start.message.serialize());
    Ok((LoginState { state: start.state, name }, request))
}

impl LoginState {
    /// Second step of the client; stretches the password, which takes long on purpose.
    ///
    /// Returns the last message and the export key.
    ///
    /// # Errors
    /// [`LoginError::WrongCredentials`] for a wrong password, an unknown name or another context, else
    /// as [`RegisterState::finish`].
    pub fn finish(
        self,
        password: &[u8],
        response: &[u8; CREDENTIAL_RESPONSE],
        stretching: &Stretching,
        context: &LoginContext,
        rng: &mut impl CryptoRngCore,
    ) -> Result<([u8; CREDENTIAL_FINALIZATION], Secret), LoginError> {
        let response =
            CredentialResponse::deserialize(response).map_err(|_| LoginError::Malformed)?;
        let ksf = argon2(stretching)?;
        let identifiers = identifiers(&self.name, &context.pin);
        let parameters =
            ClientLoginFinishParameters::new(Some(&context.hash), identifiers, Some(&ksf));
        let finish = self
            .state
            .finish(rng, password, response, parameters)
            .map_err(|_| LoginError::WrongCredentials)?;
        let export = Zeroizing::new(<[u8; KEY]>::from(finish.export_key));
        Ok((sized(&finish.message.serialize()), Secret::new(*export)))
    }
}

/// The server's OPAQUE secrets: OPRF seed and key pair; and a record that stands in for unknown names.
pub struct LoginServer {
    setup: ServerSetup<Suite>,
    decoy: [u8; REGISTRATION_UPLOAD],
}

/// What the server keeps between its two login steps.
pub struct ServerLoginState {
    state: ServerLogin<Suite>,
    known: bool,
}

impl LoginServer {
    /// Draws the secrets of a new server.
    pub fn random(rng: &mut impl CryptoRngCore) -> Self {
        Self::with_decoy(ServerSetup::new(rng), rng)
    }

    /// Takes up kept secrets.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] if [`Self::expose`] did not write the bytes.
    pub fn from_bytes(bytes: &[u8], rng: &mut impl CryptoRngCore) -> Result<Self, LoginError> {
        let setup = ServerSetup::deserialize(bytes).map_err(|_| LoginError::Malformed)?;
        Ok(Self::with_decoy(setup, rng))
    }

    /// Shows the secrets, to keep them.
    pub fn expose(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.setup.serialize().to_vec())
    }

    /// First registration step of the server.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] if the request is not a point.
    pub fn register(
        &self,
        name: &Name,
        request: &[u8; REGISTRATION_REQUEST],
    ) -> Result<[u8; REGISTRATION_RESPONSE], LoginError> {
        let request =
            RegistrationRequest::deserialize(request).map_err(|_| LoginError::Malformed)?;
        let start =
            ServerRegistration::<Suite>::start(&self.setup, request, name.as_str().as_bytes())
                .map_err(|_| LoginError::Malformed)?;
        Ok(sized(&start.message.serialize()))
    }

    /// Checks an upload; returns the password record to keep.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] if it is none.
    pub fn password_record(
        upload: &[u8; REGISTRATION_UPLOAD],
    ) -> Result<[u8; REGISTRATION_UPLOAD], LoginError> {
        let upload =
            RegistrationUpload::<Suite>::deserialize(upload).map_err(|_| LoginError::Malformed)?;
        Ok(sized(&ServerRegistration::finish(upload).serialize()))
    }

    /// First login step of the server; `record` is `None` for an unknown name, at the same cost and
    /// with an answer of the same shape.
    ///
    /// # Errors
    /// [`LoginError::Malformed`] if request or record are.
    pub fn login(
        &self,
        name: &Name,
        record: Option<&[u8]>,
        request: &[u8; CREDENTIAL_REQUEST],
        context: &LoginContext,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(ServerLoginState, [u8; CREDENTIAL_RESPONSE]), LoginError> {
        let malformed = |_| LoginError::Malformed;
        let request = CredentialRequest::deserialize(request).map_err(malformed)?;
        let password = ServerRegistration::deserialize(record.unwrap_or(&self.decoy));
        let password = password.map_err(malformed)?;
        let identifier = name.as_str().as_bytes();
        let parameters = server_parameters(name, context);
        let start =
            ServerLogin::start(rng, &self.setup, Some(password), request, identifier, parameters)
                .map_err(malformed)?;
        let state = ServerLoginState { state: start.state, known: record.is_some() };
        Ok((state, sized(&start.message.serialize())))
    }

    fn with_decoy(setup: ServerSetup<Suite>, rng: &mut impl CryptoRngCore) -> Self {
        let key = p256::SecretKey::random(rng).public_key();
        let mut decoy = [0; REGISTRATION_UPLOAD];
        rng.fill_bytes(&mut decoy);
        decoy[..PUBLIC_KEY].copy_from_slice(&PublicKey::of(&key).0);
        Self { setup, decoy }
    }
}

impl ServerLoginState {
    /// Second login step of the server.
    ///
    /// # Errors
    /// [`LoginError::WrongCredentials`] unless the client knew the password of a known name.
    pub fn finish(
        self,
        name: &Name,
        finalization: &[u8; CREDENTIAL_FINALIZATION],
        context: &LoginContext,
    ) -> Result<(), LoginError> {
        let message =
            CredentialFinalization::deserialize(finalization).map_err(|_| LoginError::Malformed)?;
        let finish = self.state.finish(message, server_parameters(name, context));
        match finish {
            Ok(_) if self.known => Ok(()),
            Ok(_) | Err(_) => Err(LoginError::WrongCredentials),
        }
    }
}

/// Stretches a password with a salt kept on this machine, for a key of things kept on this machine.
///
/// # Errors
/// [`LoginError::Stretching`] if Argon2 does not take the cost.
pub fn stretch_locally(
    password: &[u8],
    salt: &[u8; LOCAL_SALT],
    stretching: &Stretching,
) -> Result<Secret, LoginError> {
    let mut key = Zeroizing::new([0; KEY]);
    argon2(stretching)?
        .hash_password_into(password, salt, &mut *key)
        .map_err(|_| LoginError::Stretching)?;
    Ok(Secret::new(*key))
}

fn sized<const N: usize>(message: &[u8]) -> [u8; N] {
    message.try_into().expect("the suite fixes the size of every message")
}

fn argon2(stretching: &Stretching) -> Result<Argon2<'static>, LoginError> {
    let Stretching { memory_kib, passes, lanes } = *stretching;
    let params =
        Params::new(memory_kib, passes, lanes, None).map_err(|_| LoginError::Stretching)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn identifiers<'a>(name: &'a Name, pin: &'a Pin) -> Identifiers<'a> {
    Identifiers { client: Some(name.as_str().as_bytes()), server: Some(&pin.0) }
}

fn server_parameters<'a>(
    name: &'a Name,
    context: &'a LoginContext,
) -> ServerLoginParameters<'a, 'a> {
    ServerLoginParameters {
        context: Some(&context.hash),
        identifiers: identifiers(name, &context.pin),
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const CHEAP: Stretching = Stretching { memory_kib: 32, passes: 1, lanes: 1 };
    const PIN: Pin = Pin([9; HASH]);

    struct World {
        rng: ChaCha20Rng,
        server: LoginServer,
        record: Option<[u8; REGISTRATION_UPLOAD]>,
        export: Secret,
    }

    fn ann() -> Name {
        "ann".parse().unwrap()
    }

    fn registered() -> World {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let server = LoginServer::random(&mut rng);
        let (state, request) = register_start(ann(), PIN, b"correct", &mut rng).unwrap();
        let response = server.register(&ann(), &request).unwrap();
        let (upload, export) = state.finish(b"correct", &response, &CHEAP, &mut rng).unwrap();
        let record = Some(LoginServer::password_record(&upload).unwrap());
        World { rng, server, record, export }
    }

    fn log_in(
        world: &mut World,
        password: &[u8],
        exporters: [u8; 2],
    ) -> Result<Secret, LoginError> {
        let [client, server] = exporters.map(|byte| LoginContext::new(PIN, &[byte; KEY]));
        let (state, request) = login_start(ann(), password, &mut world.rng)?;
        let record = world.record.as_ref().map(|record| record.as_slice());
        let (at_server, response) =
            world.server.login(&ann(), record, &request, &server, &mut world.rng)?;
        let (last, export) = state.finish(password, &response, &CHEAP, &client, &mut world.rng)?;
        at_server.finish(&ann(), &last, &server)?;
        Ok(export)
    }

    #[test]
    fn login_gives_the_export_key_of_registration_again() {
        let mut world = registered();
        let export = log_in(&mut world, b"correct", [1, 1]).ok().unwrap();
        assert_eq!(export.expose(), world.export.expose());
        let kept = world.server.expose();
        world.server = LoginServer::from_bytes(&kept, &mut world.rng).ok().unwrap();
        assert!(log_in(&mut world, b"correct", [1, 1]).is_ok());
    }

    #[test]
    fn wrong_password_unknown_name_and_another_connection_are_the_same_error() {
        let mut world = registered();
        let wrong = Some(LoginError::WrongCredentials);
        assert_eq!(log_in(&mut world, b"Correct", [1, 1]).err(), wrong);
        assert_eq!(log_in(&mut world, b"correct", [1, 2]).err(), wrong);
        world.record = None;
        assert_eq!(log_in(&mut world, b"correct", [1, 1]).err(), wrong);
    }

    #[test]
    fn malformed_messages_are_errors() {
        let world = registered();
        assert!(world.server.register(&ann(), &[0; REGISTRATION_REQUEST]).is_err());
        assert!(LoginServer::password_record(&[0; REGISTRATION_UPLOAD]).is_err());
        assert!(LoginServer::from_bytes(&[1; 7], &mut ChaCha20Rng::seed_from_u64(1)).is_err());
    }
}
