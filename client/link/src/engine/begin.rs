//! The beginning: from options to a client on its way into the rounds: with a session, or with what is kept on this
//! machine until the server is reached.

use std::path::PathBuf;
use std::sync::Arc;

use client_core::client::{Client, Held};
use client_core::directory::Records as _;
use client_core::identity::{Identity, MasterKey};
use client_core::record::{Change, Saved};
use client_core::vault::VaultKey;
use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, RngCore, SeedableRng};
use tokio::sync::mpsc;
use wire::account::{SealedIdentity, Stretching};
use wire::control::Session;
use wire::ids::{Name, Token};
use wire::kdf::Secret;
use wire::link::Link;
use zeroize::Zeroizing;

use super::Teller;
use super::account::AccountWork;
use super::entry::{Coming, Gate, Person, Typed, blocking, perhaps_changed};
use super::local::Shelf;
use super::trouble::{Failure, Trouble};
use crate::api::{About, ErrorCode, Event, Options, PASSWORD_MAX, Step};
use crate::profile::{
    Completion, DiskRecords, Profile, ProfileAccount, ProfileError, ProfileThread, Unlocked,
};

/// Everything that the rounds need.
pub(super) struct Beginning {
    pub(super) link: Link,
    pub(super) token: Token,
    pub(super) client: Client,
    pub(super) coming: Coming,
    pub(super) account: AccountWork,
    pub(super) profile: ProfileThread,
    pub(super) completions: mpsc::Receiver<Completion>,
    pub(super) shelf: Shelf,
    pub(super) marks: Marks,
    pub(super) begun: Begun,
}

/// How far the way in is.
pub(super) enum Begun {
    /// The server was not asked yet.
    Early { typed: Typed },
    /// The server gave a session.
    SignedIn {
        /// Names in the server's directory.
        names: u32,
    },
}

/// What the program is told first of what is kept here.
pub(super) struct Marks {
    /// What is drafted, by name.
    pub(super) drafts: Vec<(String, String)>,
    /// Whose history is deleted when the program ends.
    pub(super) forgetful: Vec<String>,
}

/// A client with its profile.
struct Made {
    client: Client,
    profile: Profile,
    marks: Marks,
}

/// What this machine has of the account.
enum Local {
    /// Nothing.
    Nothing,
    /// The profile, which the password opened.
    Open(Box<Ours>),
    /// A profile that the password does not open: it was changed on another machine, or is wrong.
    Shut,
}

/// An open profile with its copy of the directory.
struct Kept {
    profile: Profile,
    records: DiskRecords,
    /// Whether the copy was whole; else it is an empty one.
    is_whole: bool,
    /// How much of the directory there is.
    held: Held,
}

/// What the password opened before the server was asked.
struct Ours {
    kept: Kept,
    master: Secret,
    saved: Saved,
    /// The account's identity, since a sign-in kept it.
    identity: Option<SealedIdentity>,
}

/// A session with the keys that it opens, and the profile that goes with it.
struct Opened {
    gate: Gate,
    session: Box<Session>,
    master: MasterKey,
    identity: Identity,
    kept: Kept,
    take_up: TakeUp,
}

/// Readies the profile for the session and returns what a restart needs. It takes the longer the more contacts there
/// are, so the way in goes on meanwhile.
type TakeUp = Box<dyn FnOnce(&mut Profile) -> Result<Saved, ProfileError> + Send>;

impl Beginning {
    /// Unlocks the profile or makes one, connects, registers if asked to, and signs in.
    pub(super) async fn make(options: Options, teller: &Teller) -> Result<Self, Failure> {
        let Options { link, user, password, register, invite, profile: dir, early, stretching } =
            options;
        let length = password.expose().len();
        if length == 0 || length > PASSWORD_MAX {
            let text = format!("a password has 1 to {PASSWORD_MAX} bytes");
            return Err(Failure::new(ErrorCode::PasswordInvalid, text));
        }
        let person = Person { user, password: Arc::new(password), stretching, invite };
        let account = ProfileAccount { link: link.clone(), user };
        let local = unlock(dir.clone(), &person, &account, teller).await?;
        if register && matches!(local, Local::Shut) {
            return Err(ProfileError::WrongPassword.into());
        }
        let local = match local {
            Local::Open(ours) if early && !register => {
                match begin_early(&link, &person, ours, teller).await? {
                    Early::Begun(beginning) => return Ok(*beginning),
                    Early::NotYet(ours) => Local::Open(ours),
                }
            }
            local => local,
        };
        let is_shut = matches!(local, Local::Shut);
        let opened = async {
            teller.tell(Event::Progress(Step::Connecting));
            let mut gate = Gate::open(&link).await?;
            if register {
                teller.tell(Event::Progress(Step::Registering));
                gate.register(&link, &person).await?;
                teller.tell(Event::Registered { user: user.to_string() });
            }
            match local {
                Local::Open(ours) => come_again(gate, &link, &person, *ours, teller).await,
                Local::Nothing => come_first(gate, &link, &person, dir, account, teller).await,
                Local::Shut => come_with_master(gate, &link, &person, dir, account, teller).await,
            }
        };
        let opened = opened.await.map_err(|trouble| match trouble {
            Trouble::Lost(reason) if is_shut => unasked(&reason),
            trouble => trouble.into_failure(),
        })?;
        opened.begin(link, user, stretching, teller).await
    }
}

impl Opened {
    async fn begin(
        self,
        link: Link,
        user: Name,
        stretching: Stretching,
        teller: &Teller,
    ) -> Result<Beginning, Failure> {
        let Self { gate, session, master, identity, kept, take_up } = self;
        kept.tell_damage(teller);
        let (token, names) = (session.token.duplicate(), session.directory_length);
        let held = kept.held;
        teller.tell(Event::Progress(Step::Directory { names, done: held.length }));
        let coming = Coming::with_session(gate, session, held);
        let make = blocking(move || kept.into_client(&master, identity, take_up));
        let (made, coming) = coming.while_making(make).await;
        let begun = Begun::SignedIn { names };
        made??.begin(link, user, token, stretching, coming, begun)
    }
}

impl Made {
    fn begin(
        self,
        link: Link,
        user: Name,
        token: Token,
        stretching: Stretching,
        coming: Coming,
        begun: Begun,
    ) -> Result<Beginning, Failure> {
        let Self { client, profile, marks } = self;
        let (profile, completions) = ProfileThread::start(profile)
            .map_err(|error| Failure::new(ErrorCode::Disk, error.to_string()))?;
        let account = AccountWork::new(user, link.pin, stretching, profile.password_place());
        let shelf = Shelf::new(user, &profile, stretching);
        Ok(Beginning {
            link,
            token,
            client,
            coming,
            account,
            profile,
            completions,
            shelf,
            marks,
            begun,
        })
    }
}

/// What became of a start without the server.
enum Early {
    Begun(Box<Beginning>),
    /// No session, or no identity, is kept here yet.
    NotYet(Box<Ours>),
}

/// Begins with what is kept here; the way in is as every way back, and its wait for the server takes as long with every
/// number of contacts, since all of them are here before anything goes out.
async fn begin_early(
    link: &Link,
    person: &Person,
    ours: Box<Ours>,
    teller: &Teller,
) -> Result<Early, Failure> {
    let Ours { kept, master, mut saved, identity } = *ours;
    let (token, identity) = match (saved.token.take(), identity) {
        (Some(token), Some(identity)) => (token, identity),
        (token, identity) => {
            saved.token = token;
            return Ok(Early::NotYet(Box::new(Ours { kept, master, saved, identity })));
        }
    };
    kept.tell_damage(teller);
    let master = MasterKey::new(master);
    let identity = Identity::open(person.user, &master, &identity)
        .map_err(|_| ProfileError::Damaged("identity"))?;
    let take_up: TakeUp = Box::new(|_| Ok(saved));
    let made = blocking(move || kept.into_client(&master, identity, take_up)).await??;
    let typed = Typed { person: person.clone(), place: made.profile.password_place() };
    let held = made.client.held();
    let coming = Coming::back(link.clone(), token.duplicate(), held, Some(typed.clone()));
    let (user, stretching) = (person.user, person.stretching);
    let begun = Begun::Early { typed };
    let beginning = made.begin(link.clone(), user, token, stretching, coming, begun)?;
    Ok(Early::Begun(Box::new(beginning)))
}

impl Kept {
    /// Opens the copy of the directory, in whose place an empty one comes if it is damaged.
    fn open(mut profile: Profile) -> Result<Self, ProfileError> {
        let (records, is_whole) = match profile.records() {
            Ok(records) => (records, true),
            Err(ProfileError::Damaged(_)) => {
                profile.drop_records()?;
                (profile.records()?, false)
            }
            Err(error) => return Err(error),
        };
        let held = Held { length: records.len(), taken_ms: profile.restores()?.taken_ms };
        Ok(Self { profile, records, is_whole, held })
    }

    fn tell_damage(&self, teller: &Teller) {
        if !self.is_whole {
            let text = "the list of people that this machine kept was damaged, and is fetched again; check the \
                        disk if this is told once more";
            let code = ErrorCode::ProfileDamaged;
            teller.tell(Event::Error { code, text: text.into(), about: About::default() });
        }
    }

    /// Makes the client, which takes the longer the more contacts there are.
    fn into_client(
        self,
        master: &MasterKey,
        identity: Identity,
        take_up: TakeUp,
    ) -> Result<Made, ProfileError> {
        let Self { mut profile, records, .. } = self;
        let saved = take_up(&mut profile)?;
        let marks = Marks { drafts: profile.drafts()?, forgetful: profile.forgetful()? };
        let mut seed = Zeroizing::new([0; 32]);
        OsRng.fill_bytes(&mut *seed);
        let schedule = ChaCha20Rng::from_seed(*seed);
        let (vault, records) = (VaultKey::of(master), Box::new(records));
        let client = Client::new(identity, saved, vault, records, Box::new(OsRng), schedule);
        Ok(Made { client, profile, marks })
    }
}

/// Opens the profile if there is one; it must be this account's.
async fn unlock(
    dir: PathBuf,
    person: &Person,
    account: &ProfileAccount,
    teller: &Teller,
) -> Result<Local, Failure> {
    let Person { password, stretching, .. } = person.clone();
    let place = dir.clone();
    if !blocking(move || Profile::exists(&place)).await? {
        return Ok(Local::Nothing);
    }
    teller.tell(Event::Progress(Step::Unlocking));
    let unlock = move || Profile::unlock(&dir, password.expose(), &stretching);
    match blocking(unlock).await? {
        Ok(Unlocked { profile, master, account: owner, saved }) => {
            refuse_other(&owner, account)?;
            let open = || Ok::<_, ProfileError>((profile.identity()?, Kept::open(profile)?));
            let (identity, kept) = blocking(open).await??;
            Ok(Local::Open(Box::new(Ours { kept, master, saved, identity })))
        }
        Err(ProfileError::WrongPassword) => Ok(Local::Shut),
        Err(error) => Err(error.into()),
    }
}

fn refuse_other(owner: &ProfileAccount, account: &ProfileAccount) -> Result<(), Failure> {
    if owner.user == account.user && owner.link.pin == account.link.pin {
        return Ok(());
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
        let mut profile =
            Profile::create(&dir, password.expose(), stretching, &account, master.expose())?;
        profile.apply(&[Change::Token(Some(token))])?;
        Ok::<_, ProfileError>((Kept::open(profile)?, master))
    };
    teller.tell(Event::Progress(Step::MakingProfile));
    let (kept, master) = blocking(create).await?.map_err(Failure::from)?;
    let take_up = Box::new(|_: &mut Profile| Ok(Saved::default()));
    Ok(Opened { gate, session, master, identity, kept, take_up })
}

/// Takes the profile's session up again, or signs in anew if its token is of no use any more.
async fn come_again(
    mut gate: Gate,
    link: &Link,
    person: &Person,
    ours: Ours,
    teller: &Teller,
) -> Result<Opened, Trouble> {
    let Ours { kept, master, mut saved, identity: _ } = ours;
    let master = MasterKey::new(master);
    let resumed = match saved.token.take() {
        Some(token) => {
            teller.tell(Event::Progress(Step::Resuming));
            gate.resume(token).await.map(Some)
        }
        None => Ok(None),
    };
    match resumed {
        Ok(Some(session)) => {
            let identity = Identity::open(person.user, &master, &session.identity)
                .map_err(Failure::protocol)?;
            let take_up = Box::new(|_: &mut Profile| Ok(saved));
            Ok(Opened { gate, session, master, identity, kept, take_up })
        }
        Ok(None) | Err(Trouble::TokenRefused(_)) => {
            teller.tell(Event::Progress(Step::SigningIn));
            let (session, own, identity) =
                gate.sign_in(link, person).await.map_err(perhaps_changed)?;
            // the name may have changed hands, and the password be the same all the same
            if own.expose().expose() != master.expose().expose() {
                return Err(Failure::from(ProfileError::OtherMaster).into());
            }
            let token = session.token.duplicate();
            let take_up = Box::new(move |profile: &mut Profile| {
                begin_session(profile, &mut saved, token).map(|()| saved)
            });
            Ok(Opened { gate, session, master, identity, kept, take_up })
        }
        Err(trouble) => Err(trouble),
    }
}

/// Signs in with a password that does not open the profile here: if it is the account's, the master key that
/// comes with the session opens it, and it takes the place of the one before.
async fn come_with_master(
    mut gate: Gate,
    link: &Link,
    person: &Person,
    dir: PathBuf,
    account: ProfileAccount,
    teller: &Teller,
) -> Result<Opened, Trouble> {
    teller.tell(Event::Progress(Step::SigningIn));
    let (session, master, identity) = gate.sign_in(link, person).await?;
    let Person { password, stretching, .. } = person.clone();
    let key = master.expose().duplicate();
    let open = move || {
        let (profile, owner) = Profile::open_with_master(&dir, &key)?;
        Ok::<_, ProfileError>((Kept::open(profile)?, owner, key))
    };
    let (kept, owner, key) = blocking(open).await?.map_err(Failure::from)?;
    refuse_other(&owner, &account)?;
    let token = session.token.duplicate();
    let take_up = Box::new(move |profile: &mut Profile| {
        let mut saved = profile.saved()?;
        profile.password_place().put(password.expose(), stretching, &key)?;
        begin_session(profile, &mut saved, token)?;
        Ok(saved)
    });
    Ok(Opened { gate, session, master, identity, kept, take_up })
}

/// Keeps the token of a new sign-in; the contacts are called anew, since another machine may have done so meanwhile
/// and nobody is there on the roots of before.
fn begin_session(
    profile: &mut Profile,
    saved: &mut Saved,
    token: Token,
) -> Result<(), ProfileError> {
    saved.roots.clear();
    profile.begin_session(token)
}

/// The password does not open the profile, and no server says whether it is right.
fn unasked(reason: &str) -> Failure {
    let text = format!(
        "the password does not open this profile; try again. If it was changed on another machine, the server \
         must be reached once ({reason})"
    );
    Failure::new(ErrorCode::WrongCredentials, text)
}

#[cfg(test)]
mod tests {
    use redb::{Database, ReadableTable, TableDefinition};
    use tempfile::TempDir;
    use wire::codec::Wire as _;
    use wire::directory::Head;
    use wire::link::Pin;

    use super::*;

    const CHEAP: Stretching = Stretching { memory_kib: 32, passes: 1, lanes: 1 };

    fn profile(dir: &TempDir) -> Profile {
        Profile::unlock(dir.path(), b"x", &CHEAP).ok().unwrap().profile
    }

    #[test]
    fn a_damaged_directory_gives_way_to_an_empty_one_once() {
        let dir = TempDir::new().unwrap();
        let link = Link { host: "h".into(), port: 1, pin: Pin([1; 32]) };
        let account = ProfileAccount { link, user: "ann".parse().unwrap() };
        let master = Secret::new([1; 32]);
        let mut made = Profile::create(dir.path(), b"x", CHEAP, &account, &master).ok().unwrap();
        let ann = *Identity::random(account.user, &mut OsRng).record();
        let head = Head::EMPTY.after(&ann.encode().try_into().unwrap());
        made.apply(&[Change::Listed(0, vec![(ann, head)])]).unwrap();
        let kept = Kept::open(made).ok().unwrap();
        assert_eq!((kept.records.len(), kept.is_whole), (1, true));
        drop(kept);

        let database = Database::open(dir.path().join("data.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        {
            let definition = TableDefinition::<&[u8], &[u8]>::new("records");
            let mut table = transaction.open_table(definition).unwrap();
            let mut value = table.first().unwrap().unwrap().1.value().to_vec();
            value[100] ^= 1;
            table.insert([0; 4].as_slice(), value.as_slice()).unwrap();
        }
        transaction.commit().unwrap();
        drop(database);
        let kept = Kept::open(profile(&dir)).ok().unwrap();
        assert_eq!((kept.records.len(), kept.is_whole), (0, false));
        drop(kept);
        let kept = Kept::open(profile(&dir)).ok().unwrap();
        assert_eq!((kept.records.len(), kept.is_whole), (0, true));
    }
}
