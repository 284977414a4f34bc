//! Making, unlocking, refusing.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use wire::link::Pin;

#[test]
fn a_password_opens_its_profile_only() {
    let (dir, profile) = created();
    drop(profile);
    for wrong in [b"".as_slice(), b"Correct horse", b"correct horse\n"] {
        let result = Profile::unlock(dir.path(), wrong, &CHEAP);
        assert!(matches!(result.err(), Some(ProfileError::WrongPassword)));
    }
    assert!(unlock(dir.path()).is_ok());
}

#[test]
fn two_programs_do_not_share_a_profile() {
    let (dir, profile) = created();
    assert!(matches!(unlock(dir.path()).err(), Some(ProfileError::InUse)));
    assert!(matches!(create(dir.path()).err(), Some(ProfileError::InUse)));
    drop(profile);
    assert!(unlock(dir.path()).is_ok());
}

#[test]
fn a_profile_is_made_once() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("some/where");
    assert!(!Profile::exists(&path));
    assert!(matches!(unlock(&path).err(), Some(ProfileError::Missing)));
    assert!(!path.exists(), "looking for a profile makes none");
    let mut profile = create(&path).unwrap();
    assert!(Profile::exists(&path));
    profile.apply(&[Change::Mark(Round(5))]).unwrap();
    drop(profile);
    assert!(matches!(create(&path).err(), Some(ProfileError::Exists)));
    assert_eq!(unlock(&path).ok().unwrap().saved.mark, Round(5));
}

#[test]
fn only_the_owner_reads_a_profile() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("profile");
    let _profile = create(&path).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for file in fs::read_dir(&path).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn a_stretching_below_the_floor_or_above_the_ceiling_is_refused() {
    let (dir, profile) = created();
    drop(profile);
    let floor = Stretching { memory_kib: 33, ..CHEAP };
    let result = Profile::unlock(dir.path(), PASSWORD, &floor);
    assert!(matches!(result.err(), Some(ProfileError::Stretching)));
    let dir = TempDir::new().unwrap();
    let impossible = Stretching { memory_kib: 1, ..CHEAP };
    let master = Secret::new(MASTER);
    let result = Profile::create(dir.path(), PASSWORD, impossible, &account(), &master);
    assert!(matches!(result.err(), Some(ProfileError::Stretching)));
    assert!(create(dir.path()).is_ok(), "a refused creation leaves nothing in the way");
}

#[test]
fn a_creation_that_was_cut_off_is_made_anew_or_finished() {
    let (dir, profile) = created();
    drop(profile);
    let at = |name: &str| dir.path().join(name);
    // before the header was in place: of no value
    fs::rename(at("data.redb"), at("data.redb.new")).unwrap();
    fs::rename(at("profile"), at("profile.new")).unwrap();
    assert!(!Profile::exists(dir.path()));
    assert!(matches!(unlock(dir.path()).err(), Some(ProfileError::Missing)));
    fs::write(at("data.redb.new"), "cut off").unwrap();
    drop(create(dir.path()).unwrap());
    // between header and data: whole
    fs::rename(at("data.redb"), at("data.redb.new")).unwrap();
    assert!(matches!(create(dir.path()).err(), Some(ProfileError::Exists)));
    assert!(unlock(dir.path()).is_ok());
    assert!(at("data.redb").exists() && !at("data.redb.new").exists());
}

#[test]
fn data_without_a_header_is_not_overwritten() {
    let (dir, profile) = created();
    drop(profile);
    let data = fs::read(dir.path().join("data.redb")).unwrap();
    fs::remove_file(dir.path().join("profile")).unwrap();
    assert!(matches!(create(dir.path()).err(), Some(ProfileError::Damaged(_))));
    assert!(fs::read(dir.path().join("data.redb")).unwrap() == data);
}

#[test]
fn a_newer_schema_is_refused_and_not_changed() {
    let (dir, profile) = created();
    drop(profile);
    let path = dir.path().join("data.redb");
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(row::META).unwrap().insert(row::SCHEMA_KEY, 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(matches!(unlock(dir.path()).err(), Some(ProfileError::Newer)));
    assert!(matches!(create(dir.path()).err(), Some(ProfileError::Exists)));
    let database = redb::Database::open(&path).unwrap();
    let transaction = redb::ReadableDatabase::begin_read(&database).unwrap();
    let meta = transaction.open_table(row::META).unwrap();
    assert_eq!(meta.get(row::SCHEMA_KEY).unwrap().unwrap().value(), 2);
}

#[test]
fn a_profile_directory_names_neither_account_nor_server() {
    let link = |pin| Link { host: "chat.example.org".into(), port: 1, pin: Pin([pin; 32]) };
    let (ann, bob) = ("ann".parse().unwrap(), "bob".parse().unwrap());
    let name = Profile::directory_name(&link(1), &ann);
    assert!(name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    assert_ne!(name, Profile::directory_name(&link(2), &ann));
    assert_ne!(name, Profile::directory_name(&link(1), &bob));
    let moved = Link { host: "other.example.org".into(), port: 2, ..link(1) };
    assert_eq!(name, Profile::directory_name(&moved, &ann), "a server may move");
}
