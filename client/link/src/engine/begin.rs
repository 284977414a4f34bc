//! The beginning: from options to a client that has signed in.

use std::path::PathBuf;
use std::sync::Arc;

use client_core::client::Client;
use client_core::directory::MemoryRecords;
use client_core::identity::{Identity, MasterKey};
use client_core::record::{Change, Saved};
use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, RngCore, SeedableRng};
use tokio::sync::mpsc;
use wire::control::Session;
use wire::ids::Token;
use wire::link::Link;
use zeroize::Zeroizing;

use super::Teller;
use super::entry::{Entry, Gate, Person, blocking};
use super::trouble::{Failure, Trouble};
use crate::api::{ErrorCode, Event, Options, PASSWORD_MAX, Step};
use crate::profile::{Completion, Profile, ProfileAccount, ProfileThread, Unlocked};

/// Everything that the rounds need.
pub(super) struct Beginning {
    pub(super) link: Link,
    pub(super) token: Token,
    pub(super) client: Client,
    pub(super) entry: Entry,
    pub(super) profile: ProfileThread,
    pub(super) completions: mpsc::Receiver<Completion>,
}

/// A session with the keys that it opens, and the profile that goes with it.
struct Opened {
    entry: Entry,
    identity: Identity,
    profile: Profile,
    saved: Saved,
}

impl Beginning {
    /// Unlocks the profile or makes one, connects, registers if asked to, and signs in.
    pub(super) async fn make(options: Options, teller: &Teller) -> Result<Self, Failure> {
        let Options { link, user, password, register, profile: dir, stretching } = options;
        let length = password.expose().len();
        if length == 0 || length > PASSWORD_MAX {
            let text = format!("a password has 1 to {PASSWORD_MAX} bytes");
            return Err(Failure::new(ErrorCode::PasswordInvalid, text));
        }
        let person = Person { user, password: Arc::new(password), stretching };
        let account = ProfileAccount { link: link.clone(), user };
        let unlocked = unlock(dir.clone(), &person, &account, teller).await?;
        let opened = async {
            teller.tell(Event::Progress(Step::Connecting));
            let mut gate = Gate::open(&link).await?;
            if register {
                teller.tell(Event::Progress(Step::Registering));
                gate.register(&link, &person).await?;
                teller.tell(Event::Registered { user: user.to_string() });
            }
            match unlocked {
                Some(unlocked) => come_again(gate, &link, &person, unlocked, teller).await,
                None => come_first(gate, &link, &person, dir, account, teller).await,
            }
        };
        let opened = opened.await.map_err(Trouble::into_failure)?;
        teller.tell(Event::SignedIn { user: user.to_string() });
        opened.begin(link)
    }
}

impl Opened {
    fn begin(self, link: Link) -> Result<Beginning, Failure> {
        let Self { entry, identity, profile, saved } = self;
        let mut seed = Zeroizing::new([0; 32]);
        OsRng.fill_bytes(&mut *seed);
        let schedule = ChaCha20Rng::from_seed(*seed);
        let records = Box::new(MemoryRecords::default());
        let client = Client::new(identity, saved, records, Box::new(OsRng), schedule);
        let (profile, completions) = ProfileThread::start(profile)
            .map_err(|error| Failure::new(ErrorCode::Disk, error.to_string()))?;
        let token = entry.session.token.duplicate();
        Ok(Beginning { link, token, client, entry, profile, completions })
    }
}

/// Opens the profile if there is one; it must be this account's.
async fn unlock(
    dir: PathBuf,
    person: &Person,
    account: &ProfileAccount,
    teller: &Teller,
) -> Result<Option<Unlocked>, Failure> {
    let Person { password, stretching, .. } = person.clone();
    let place = dir.clone();
    if !blocking(move || Profile::exists(&place)).await? {
        return Ok(None);
    }
    teller.tell(Event::Progress(Step::Unlocking));
    let unlock = move || Profile::unlock(&dir, password.expose(), &stretching);
    let unlocked = blocking(unlock).await??;
    if unlocked.account.user == account.user && unlocked.account.link.pin == account.link.pin {
        return Ok(Some(unlocked));
    }
    let text = "this profile belongs to another account or server; choose another directory";
    Err(Failure::new(ErrorCode::ProfileOtherAccount, text))
}

/// Signs in on a machine that has no profile of the account, and makes one.
async fn come_first(
    mut gate: Gate,
    link: &Link,
    person: &Person,
    dir: PathBuf,
    account: ProfileAccount,
    teller: &Teller,
) -> Result<Opened, Trouble> {
    teller.tell(Event::Progress(Step::SigningIn));
    let (session, master, identity) = gate.sign_in(link, person).await?;
    let token = session.token.duplicate();
    let Person { password, stretching, .. } = person.clone();
    let create = move || {
        let master = master.expose();
        let mut profile = Profile::create(&dir, password.expose(), stretching, &account, master)?;
        profile.apply(&[Change::Token(Some(token))])?;
        Ok::<_, crate::profile::ProfileError>(profile)
    };
    teller.tell(Event::Progress(Step::MakingProfile));
    let profile = blocking(create).await?.map_err(Failure::from)?;
    let entry = enter(gate, session, teller).await?;
    Ok(Opened { entry, identity, profile, saved: Saved::default() })
}

/// Takes the profile's session up again, or signs in anew if its token is of no use any more.
async fn come_again(
    mut gate: Gate,
    link: &Link,
    person: &Person,
    unlocked: Unlocked,
    teller: &Teller,
) -> Result<Opened, Trouble> {
    let Unlocked { mut profile, master, mut saved, .. } = unlocked;
    let resumed = match saved.token.take() {
        Some(token) => {
            teller.tell(Event::Progress(Step::Resuming));
            gate.resume(token).await.map(Some)
        }
        None => Ok(None),
    };
    let (session, identity) = match resumed {
        Ok(Some(session)) => {
            let identity = Identity::open(person.user, &MasterKey::new(master), &session.identity)
                .map_err(Failure::protocol)?;
            (session, identity)
        }
        Ok(None) | Err(Trouble::TokenRefused(_)) => {
            teller.tell(Event::Progress(Step::SigningIn));
            let (session, _, identity) = gate.sign_in(link, person).await?;
            let token = session.token.duplicate();
            profile =
                blocking(move || profile.apply(&[Change::Token(Some(token))]).map(|()| profile))
                    .await?
                    .map_err(Failure::from)?;
            (session, identity)
        }
        Err(trouble) => return Err(trouble),
    };
    let entry = enter(gate, session, teller).await?;
    Ok(Opened { entry, identity, profile, saved })
}

/// Fetches the whole directory, and joins.
async fn enter(gate: Gate, session: Box<Session>, teller: &Teller) -> Result<Entry, Trouble> {
    let names = session.directory_length;
    teller.tell(Event::Progress(Step::Directory { names }));
    Entry::make(gate, session, 0).await
}
