//! Making an account and signing in, as state machines over control frames.
//!
//! ```text
//! SignUp::start ─RegisterStart→ ─RegisterReply→ SignUp::finish ─RegisterFinish→ ─Registered→
//! SignIn::start ─LoginStart→ ─LoginReply→ SignIn::finish ─LoginFinish→ ─Session→ SignedIn::open
//! ```
//!
//! `finish` stretches the password: it takes long on purpose and belongs on a thread of its own.

use rand_core::CryptoRngCore;
use thiserror::Error;
use wire::account::{Invite, Stretching};
use wire::control::{
    ClientControl, LoginFinish, LoginReply, LoginStart, RegisterFinish, RegisterReply,
    RegisterStart, Session,
};
use wire::ids::Name;
use wire::kdf::Secret;
use wire::link::Pin;
use wire::login::{self, LoginContext, LoginError, LoginState, RegisterState};

use crate::identity::{Identity, KeysDamaged, MasterKey};

/// Why an account was not made or not signed in to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AccountError {
    /// A step of OPAQUE failed.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// The server asks for a cost of stretching outside of this program's bounds.
    #[error("the server asks for a password stretching that this program refuses")]
    Stretching,
    /// The keys that the server stores for the account do not open.
    #[error(transparent)]
    Keys(#[from] KeysDamaged),
}

/// A registration under way.
pub struct SignUp {
    name: Name,
    state: RegisterState,
}

impl SignUp {
    /// Begins a registration.
    ///
    /// # Errors
    /// [`AccountError::Login`] for a password of over 65,535 bytes.
    pub fn start(
        name: Name,
        pin: Pin,
        password: &[u8],
        rng: &mut impl CryptoRngCore,
    ) -> Result<(Self, ClientControl), AccountError> {
        let (state, request) = login::register_start(name, pin, password, rng)?;
        let frame =
            ClientControl::RegisterStart(RegisterStart { name, request, invite: Invite::NONE });
        Ok((Self { name, state }, frame))
    }

    /// Stretches the password, makes and seals the account's keys.
    ///
    /// # Errors
    /// [`AccountError::Login`] for a malformed reply.
    pub fn finish(
        self,
        password: &[u8],
        reply: &RegisterReply,
        stretching: Stretching,
        rng: &mut impl CryptoRngCore,
    ) -> Result<ClientControl, AccountError> {
        let (upload, export) = self.state.finish(password, &reply.response, &stretching, rng)?;
        let master = MasterKey::random(rng);
        let identity = Identity::random(self.name, rng);
        Ok(ClientControl::RegisterFinish(Box::new(RegisterFinish {
            upload,
            stretching,
            master: master.seal(&self.name, &export, rng),
            identity: identity.seal(&master, rng),
            record: *identity.record(),
        })))
    }
}

/// A login under way.
pub struct SignIn {
    name: Name,
    state: LoginState,
}

/// A login whose last message is on its way.
pub struct Proved {
    name: Name,
    export: Secret,
}

impl SignIn {
    /// Begins a login.
    ///
    /// # Errors
    /// [`AccountError::Login`] for a password of over 65,535 bytes.
    pub fn start(
        name: Name,
        password: &[u8],
        rng: &mut impl CryptoRngCore,
    ) -> Result<(Self, ClientControl), AccountError> {
        let (state, request) = login::login_start(name, password, rng)?;
        let frame = ClientControl::LoginStart(LoginStart { name, request });
        Ok((Self { name, state }, frame))
    }

    /// Stretches the password and proves it; `floor` is the least cost that is accepted.
    ///
    /// # Errors
    /// [`AccountError`]; a wrong password and an unknown name are the same error.
    pub fn finish(
        self,
        password: &[u8],
        reply: &LoginReply,
        floor: &Stretching,
        context: &LoginContext,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(Proved, ClientControl), AccountError> {
        if !reply.stretching.is_within(floor) {
            return Err(AccountError::Stretching);
        }
        let (finalization, export) =
            self.state.finish(password, &reply.response, &reply.stretching, context, rng)?;
        let frame = ClientControl::LoginFinish(LoginFinish { finalization });
        Ok((Proved { name: self.name, export }, frame))
    }
}

impl Proved {
    /// Opens the account's keys that come with the session.
    ///
    /// # Errors
    /// [`AccountError::Keys`] if they do not open.
    pub fn open(self, session: &Session) -> Result<(MasterKey, Identity), AccountError> {
        let master = MasterKey::open(&self.name, &self.export, &session.master)?;
        let identity = Identity::open(self.name, &master, &session.identity)?;
        Ok((master, identity))
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use wire::account::{SealedIdentity, SealedMaster};
    use wire::login::LoginServer;

    use super::*;

    const CHEAP: Stretching = Stretching { memory_kib: 32, passes: 1, lanes: 1 };
    const PIN: Pin = Pin([9; 32]);

    struct Account {
        rng: ChaCha20Rng,
        server: LoginServer,
        finish: Box<RegisterFinish>,
    }

    fn ann() -> Name {
        "ann".parse().unwrap()
    }

    fn made() -> Account {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let server = LoginServer::random(&mut rng);
        let (sign_up, frame) = SignUp::start(ann(), PIN, b"pw", &mut rng).unwrap();
        let ClientControl::RegisterStart(start) = frame else { panic!("wrong frame") };
        let reply = RegisterReply { response: server.register(&ann(), &start.request).unwrap() };
        let frame = sign_up.finish(b"pw", &reply, CHEAP, &mut rng).unwrap();
        let ClientControl::RegisterFinish(finish) = frame else { panic!("wrong frame") };
        Account { rng, server, finish }
    }

    fn proved(account: &mut Account, floor: &Stretching) -> Result<Proved, AccountError> {
        let context = LoginContext::new(PIN, &[1; 32]);
        let (sign_in, frame) = SignIn::start(ann(), b"pw", &mut account.rng)?;
        let ClientControl::LoginStart(start) = frame else { panic!("wrong frame") };
        let record = Some(account.finish.upload.as_slice());
        let (_, response) =
            account.server.login(&ann(), record, &start.request, &context, &mut account.rng)?;
        let reply = LoginReply { response, stretching: account.finish.stretching };
        Ok(sign_in.finish(b"pw", &reply, floor, &context, &mut account.rng)?.0)
    }

    fn open(proved: Proved, master: SealedMaster, identity: SealedIdentity) -> Option<Identity> {
        let master = MasterKey::open(&proved.name, &proved.export, &master).ok()?;
        Identity::open(proved.name, &master, &identity).ok()
    }

    #[test]
    fn login_opens_the_keys_that_registration_made() {
        let mut account = made();
        let proved = proved(&mut account, &CHEAP).ok().unwrap();
        let identity = open(proved, account.finish.master, account.finish.identity).unwrap();
        assert!(identity.record().verify().is_ok());
        assert_eq!(identity.hash(), account.finish.record.identity());
    }

    #[test]
    fn a_cost_below_the_floor_or_over_the_ceiling_is_refused() {
        let mut account = made();
        let refused = Some(AccountError::Stretching);
        assert_eq!(proved(&mut account, &Stretching::STANDARD).err(), refused);
        account.finish.stretching = Stretching { memory_kib: u32::MAX, ..CHEAP };
        assert_eq!(proved(&mut account, &CHEAP).err(), refused);
    }

    #[test]
    fn changed_sealed_keys_do_not_open() {
        let mut account = made();
        let proved = proved(&mut account, &CHEAP).ok().unwrap();
        account.finish.identity.0[20] ^= 1;
        assert!(open(proved, account.finish.master, account.finish.identity).is_none());
    }
}
