//! Making an account, signing in, changing the password and deleting the account, as state machines over
//! control frames.
//!
//! ```text
//! SignUp::start ─RegisterStart→ ─RegisterReply→ SignUp::finish ─RegisterFinish→ ─Registered→
//! SignIn::start ─LoginStart→ ─LoginReply→ SignIn::finish ─LoginFinish→ ─Session→ Proved::open
//! PasswordChange::start ─ChangeStart→ ─ChangeReply→ PasswordChange::finish ─ChangeFinish→ ─Changed→
//! Deletion::start ─DeleteStart→ ─DeleteReply→ Deletion::finish ─DeleteFinish→ ─Deleted→
//! ```
//!
//! `finish` stretches the password: it takes long on purpose and belongs on a thread of its own.

use rand_core::CryptoRngCore;
use thiserror::Error;
use wire::account::{Invite, SealedIdentity, SealedMaster, Stretching};
use wire::control::{
    ChangeFinish, ChangeReply, ChangeStart, ClientControl, DeleteFinish, DeleteStart, LoginFinish,
    LoginReply, LoginStart, RegisterFinish, RegisterReply, RegisterStart, Session,
};
use wire::directory::Record;
use wire::ids::Name;
use wire::kdf::Secret;
use wire::link::Pin;
use wire::login::{self, LoginContext, LoginError, LoginState, RegisterState};
use wire::size::CREDENTIAL_FINALIZATION;

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
    /// Begins a registration, with an invitation code if there is one.
    ///
    /// # Errors
    /// [`AccountError::Login`] for a password of over 65,535 bytes.
    pub fn start(
        name: Name,
        pin: Pin,
        invite: Option<Invite>,
        password: &[u8],
        rng: &mut impl CryptoRngCore,
    ) -> Result<(Self, ClientControl), AccountError> {
        let (state, request) = login::register_start(name, pin, password, rng)?;
        let invite = invite.unwrap_or(Invite::NONE);
        let frame = ClientControl::RegisterStart(RegisterStart { name, request, invite });
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
        let (finalization, export) = prove(self.state, password, reply, floor, context, rng)?;
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
        let keys = SealedKeys { master: session.master, identity: session.identity };
        Ok(keys.open(self.name, &self.export)?)
    }
}

/// The account's keys as the server keeps them.
#[derive(Clone, Copy)]
pub struct SealedKeys {
    /// Master key under the export key of the password.
    pub master: SealedMaster,
    /// Identity under the master key.
    pub identity: SealedIdentity,
}

impl SealedKeys {
    fn open(&self, name: Name, export: &Secret) -> Result<(MasterKey, Identity), KeysDamaged> {
        let master = MasterKey::open(&name, export, &self.master)?;
        let identity = Identity::open(name, &master, &self.identity)?;
        Ok((master, identity))
    }
}

/// A change of password under way: a login with the old one beside a registration of the new one.
pub struct PasswordChange {
    name: Name,
    login: LoginState,
    registration: RegisterState,
}

/// The two passwords of a change.
#[derive(Clone, Copy)]
pub struct Passwords<'a> {
    /// The one so far.
    pub old: &'a [u8],
    /// The one to come.
    pub new: &'a [u8],
}

/// A change of password whose last message is to be sent.
pub struct ChangeProved {
    /// The last message.
    pub frame: ClientControl,
    /// The account's keys as the server keeps them once it took the message.
    pub keys: SealedKeys,
    /// The account's master key, which stays.
    pub master: MasterKey,
}

impl PasswordChange {
    /// Begins a change of password.
    ///
    /// # Errors
    /// [`AccountError::Login`] for a password of over 65,535 bytes.
    pub fn start(
        name: Name,
        pin: Pin,
        passwords: Passwords<'_>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(Self, ClientControl), AccountError> {
        let (login, request) = login::login_start(name, passwords.old, rng)?;
        let (registration, upload) = login::register_start(name, pin, passwords.new, rng)?;
        let start = ChangeStart { login: request, registration: upload };
        Ok((Self { name, login, registration }, ClientControl::ChangeStart(start)))
    }

    /// Stretches both passwords, proves the old one, and seals the account's keys under the new one.
    ///
    /// `stretching` is the cost for the new password, and the least that is accepted for the old one.
    ///
    /// # Errors
    /// [`AccountError`]; [`LoginError::WrongCredentials`] for a wrong old password.
    pub fn finish(
        self,
        passwords: Passwords<'_>,
        reply: &ChangeReply,
        keys: &SealedKeys,
        stretching: &Stretching,
        context: &LoginContext,
        rng: &mut impl CryptoRngCore,
    ) -> Result<ChangeProved, AccountError> {
        let Self { name, login, registration } = self;
        let (finalization, export) =
            prove(login, passwords.old, &reply.login, stretching, context, rng)?;
        let (master, identity) = keys.open(name, &export)?;
        let (upload, export) =
            registration.finish(passwords.new, &reply.registration, stretching, rng)?;
        let keys = SealedKeys {
            master: master.seal(&name, &export, rng),
            identity: identity.seal(&master, rng),
        };
        let frame = ClientControl::ChangeFinish(Box::new(ChangeFinish {
            finalization,
            upload,
            stretching: *stretching,
            master: keys.master,
            identity: keys.identity,
        }));
        Ok(ChangeProved { frame, keys, master })
    }
}

/// A deletion of the account under way.
pub struct Deletion {
    name: Name,
    login: LoginState,
}

impl Deletion {
    /// Begins a deletion.
    ///
    /// # Errors
    /// [`AccountError::Login`] for a password of over 65,535 bytes.
    pub fn start(
        name: Name,
        password: &[u8],
        rng: &mut impl CryptoRngCore,
    ) -> Result<(Self, ClientControl), AccountError> {
        let (login, request) = login::login_start(name, password, rng)?;
        Ok((Self { name, login }, ClientControl::DeleteStart(DeleteStart { login: request })))
    }

    /// Stretches the password, proves it, and signs the record that deletes the account.
    ///
    /// # Errors
    /// As [`SignIn::finish`], and [`AccountError::Keys`].
    pub fn finish(
        self,
        password: &[u8],
        reply: &LoginReply,
        keys: &SealedKeys,
        floor: &Stretching,
        context: &LoginContext,
        rng: &mut impl CryptoRngCore,
    ) -> Result<ClientControl, AccountError> {
        let Self { name, login } = self;
        let (finalization, export) = prove(login, password, reply, floor, context, rng)?;
        let (_, identity) = keys.open(name, &export)?;
        let record = Record::deletion(name, identity.signing());
        Ok(ClientControl::DeleteFinish(Box::new(DeleteFinish { finalization, record })))
    }
}

/// Stretches a password and proves it; returns the last message and the export key.
fn prove(
    state: LoginState,
    password: &[u8],
    reply: &LoginReply,
    floor: &Stretching,
    context: &LoginContext,
    rng: &mut impl CryptoRngCore,
) -> Result<([u8; CREDENTIAL_FINALIZATION], Secret), AccountError> {
    if !reply.stretching.is_within(floor) {
        return Err(AccountError::Stretching);
    }
    Ok(state.finish(password, &reply.response, &reply.stretching, context, rng)?)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use wire::login::{LoginServer, ServerLoginState};

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
        let (sign_up, frame) = SignUp::start(ann(), PIN, None, b"pw", &mut rng).unwrap();
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

    /// What the server of a change answers, and what it keeps of the login.
    fn change_reply(
        account: &mut Account,
        start: &ChangeStart,
        context: &LoginContext,
    ) -> (ServerLoginState, ChangeReply) {
        let record = Some(account.finish.upload.as_slice());
        let login = account.server.login(&ann(), record, &start.login, context, &mut account.rng);
        let (state, response) = login.unwrap();
        let login = LoginReply { response, stretching: account.finish.stretching };
        let registration = account.server.register(&ann(), &start.registration).unwrap();
        (state, ChangeReply { login, registration })
    }

    fn changed(
        account: &mut Account,
        old: &[u8],
        floor: &Stretching,
    ) -> Result<ChangeProved, AccountError> {
        let context = LoginContext::new(PIN, &[1; 32]);
        let passwords = Passwords { old, new: b"new" };
        let (change, frame) = PasswordChange::start(ann(), PIN, passwords, &mut account.rng)?;
        let ClientControl::ChangeStart(start) = frame else { panic!("wrong frame") };
        let (state, reply) = change_reply(account, &start, &context);
        let keys = SealedKeys { master: account.finish.master, identity: account.finish.identity };
        let proved = change.finish(passwords, &reply, &keys, floor, &context, &mut account.rng)?;
        let ClientControl::ChangeFinish(finish) = &proved.frame else { panic!("wrong frame") };
        state.finish(&ann(), &finish.finalization, &context).expect("the server takes the proof");
        Ok(proved)
    }

    #[test]
    fn a_changed_password_opens_the_same_keys_and_the_old_one_none() {
        let mut account = made();
        let before = account.finish.record.identity();
        let ChangeProved { frame, master, .. } = changed(&mut account, b"pw", &CHEAP).ok().unwrap();
        let ClientControl::ChangeFinish(finish) = frame else { panic!("wrong frame") };
        let ChangeFinish { upload, stretching, master: sealed, identity, .. } = *finish;
        account.finish.upload = upload;
        (account.finish.stretching, account.finish.master) = (stretching, sealed);
        account.finish.identity = identity;
        let wrong = Some(AccountError::Login(LoginError::WrongCredentials));
        assert_eq!(proved(&mut account, &CHEAP).err(), wrong);
        let again = changed(&mut account, b"new", &CHEAP).ok().unwrap();
        assert!(again.master.expose().expose() == master.expose().expose());
        let opened = Identity::open(ann(), &again.master, &again.keys.identity).unwrap();
        assert_eq!(opened.hash(), before);
    }

    #[test]
    fn a_change_needs_the_old_password_and_its_cost() {
        let mut account = made();
        let wrong = Some(AccountError::Login(LoginError::WrongCredentials));
        assert_eq!(changed(&mut account, b"pW", &CHEAP).err(), wrong);
        let refused = Some(AccountError::Stretching);
        assert_eq!(changed(&mut account, b"pw", &Stretching::STANDARD).err(), refused);
        account.finish.master.0[20] ^= 1;
        assert_eq!(changed(&mut account, b"pw", &CHEAP).err(), Some(KeysDamaged.into()));
    }

    #[test]
    fn a_deletion_is_signed_by_the_account_and_needs_its_password() {
        let mut account = made();
        let context = LoginContext::new(PIN, &[1; 32]);
        let mut delete = |password: &[u8]| {
            let (deletion, frame) = Deletion::start(ann(), password, &mut account.rng)?;
            let ClientControl::DeleteStart(start) = frame else { panic!("wrong frame") };
            let record = Some(account.finish.upload.as_slice());
            let login =
                account.server.login(&ann(), record, &start.login, &context, &mut account.rng);
            let (state, response) = login.unwrap();
            let reply = LoginReply { response, stretching: CHEAP };
            let keys =
                SealedKeys { master: account.finish.master, identity: account.finish.identity };
            let frame =
                deletion.finish(password, &reply, &keys, &CHEAP, &context, &mut account.rng)?;
            let ClientControl::DeleteFinish(finish) = frame else { panic!("wrong frame") };
            state
                .finish(&ann(), &finish.finalization, &context)
                .expect("the server takes the proof");
            Ok(finish.record)
        };
        let record = delete(b"pw").unwrap();
        let wrong = AccountError::Login(LoginError::WrongCredentials);
        assert_eq!(delete(b"pW").err(), Some(wrong));
        assert!(record.is_deletion() && record.verify().is_ok() && record.name == ann());
        assert!(record.signing == account.finish.record.signing);
    }
}
