//! The anchor store in a folder of this machine.
//!
//! An object is a file, and its name the path. Beside the objects of a folder lie its `lock`, which whoever writes there
//! holds (flock), and `tmp`, in which the next content is written before it gets its name. Files are 0600, folders 0700.
//!
//! # Invariants
//! - A file that has the name of an object is whole, and it and its name are on the disk before the call returns.
//! - Under the lock an object is compared with what was seen and replaced by a rename; so no change of another process is
//!   lost, and whoever is killed leaves the old content or the new.
//! - No second name of a file outlives the next write in its folder: what is replaced is unlinked. When a file system or a
//!   disk overwrites what was unlinked is not ours to say: snapshots, journals and flash keep blocks.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::name::{LOCK, ObjectName, TEMPORARY};
use super::store::{AnchorError, MAX_OBJECT_BYTES, OPERATION_LIMIT, Object, Tag};

const LOCK_PAUSE: Duration = Duration::from_millis(3);
/// Others write for so long at most; shorter than an operation's limit.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// A store in a folder. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    root: Arc<Path>,
}

/// A folder's lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl Folder {
    pub(super) fn at(root: &Path) -> Self {
        Self { root: Arc::from(root) }
    }

    /// Makes the folder if it is not there, and takes away what a crash left.
    pub(super) async fn open(&self) -> Result<(), AnchorError> {
        let root = self.root.clone();
        run("open", root.display().to_string(), move || {
            make_folder(&root)?;
            clean(&root)
        })
        .await
    }

    pub(super) async fn create(&self, name: &ObjectName, bytes: &[u8]) -> Result<Tag, AnchorError> {
        let (name, path, bytes) = (name.clone(), self.path(name), Zeroizing::new(bytes.to_vec()));
        run("create", path.display().to_string(), move || create(name, &path, &bytes)).await
    }

    pub(super) async fn replace(&self, name: &ObjectName, bytes: &[u8], seen: &Tag) -> Result<Tag, AnchorError> {
        let (name, path, seen) = (name.clone(), self.path(name), seen.clone());
        let bytes = Zeroizing::new(bytes.to_vec());
        run("replace", path.display().to_string(), move || replace(name, &path, &bytes, &seen)).await
    }

    pub(super) async fn read(&self, name: &ObjectName) -> Result<Option<Object>, AnchorError> {
        let path = self.path(name);
        run("read", path.display().to_string(), move || read(&path)).await
    }

    pub(super) async fn list(&self, prefix: &ObjectName) -> Result<Vec<ObjectName>, AnchorError> {
        let (path, prefix) = (self.path(prefix), prefix.clone());
        run("list", path.display().to_string(), move || {
            let mut names = Vec::new();
            list(&path, &prefix, &mut names)?;
            names.sort_unstable();
            Ok(names)
        })
        .await
    }

    /// Holds the lock of the folder that `prefix` names; its objects can still be written, for they have folders of their own.
    pub(super) async fn lock(
        &self,
        prefix: &ObjectName,
        patience: Duration,
    ) -> Result<Option<FolderLock>, AnchorError> {
        let folder = self.path(prefix);
        let at = folder.display().to_string();
        let file = run("open the lock of", at.clone(), move || {
            make_folder(&folder)?;
            open_lock(&folder)
        })
        .await?;
        let mut waited = Duration::ZERO;
        while !try_lock(&file).map_err(|source| AnchorError::Unavailable { what: "lock", at: at.clone(), source })? {
            if waited >= patience {
                return Ok(None);
            }
            tokio::time::sleep(LOCK_PAUSE).await;
            waited += LOCK_PAUSE;
        }
        Ok(Some(FolderLock { _file: file }))
    }

    /// The path of an object.
    pub(super) fn path(&self, name: &ObjectName) -> PathBuf {
        self.root.join(name.as_str())
    }
}

/// Has a thread that may wait do this within the limit. It is not stopped when the limit is over.
async fn run<T: Send + 'static>(
    what: &'static str,
    at: String,
    work: impl FnOnce() -> Result<T, AnchorError> + Send + 'static,
) -> Result<T, AnchorError> {
    let unavailable = |source| AnchorError::Unavailable { what, at, source };
    match timeout(OPERATION_LIMIT, spawn_blocking(work)).await {
        Ok(Ok(done)) => done,
        Ok(Err(panicked)) => Err(unavailable(io::Error::other(panicked))),
        Err(_) => Err(unavailable(io::Error::from(ErrorKind::TimedOut))),
    }
}

fn create(name: ObjectName, path: &Path, bytes: &[u8]) -> Result<Tag, AnchorError> {
    // What was created stays, so nobody has to be waited for to know it.
    if path.symlink_metadata().is_ok() {
        return Err(AnchorError::Exists { name });
    }
    let folder = parent(path);
    make_folder(folder)?;
    let _held = wait_for_lock(folder)?;
    let temporary = write_temporary(folder, bytes)?;
    let linked = fs::hard_link(&temporary, path);
    remove(&temporary)?;
    linked.map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => AnchorError::Exists { name },
        _ => failed("create", path)(source),
    })?;
    sync_folder(folder)?;
    Ok(tag_of(bytes))
}

fn replace(name: ObjectName, path: &Path, bytes: &[u8], seen: &Tag) -> Result<Tag, AnchorError> {
    let folder = parent(path);
    if !folder.is_dir() {
        return Err(AnchorError::Changed { name });
    }
    let _held = wait_for_lock(folder)?;
    if read(path)?.is_none_or(|object| object.tag != *seen) {
        return Err(AnchorError::Changed { name });
    }
    let temporary = write_temporary(folder, bytes)?;
    fs::rename(&temporary, path).map_err(failed("replace", path))?;
    sync_folder(folder)?;
    Ok(tag_of(bytes))
}

fn read(path: &Path) -> Result<Option<Object>, AnchorError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path)(error)),
    };
    let expected = file.metadata().map_err(failed("read", path))?.len();
    let too_large = || AnchorError::Malformed { at: path.display().to_string(), why: "is larger than any object" };
    let expected = usize::try_from(expected).ok().filter(|bytes| *bytes <= MAX_OBJECT_BYTES).ok_or_else(too_large)?;
    // As large as it will be: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected + 1));
    let limit = u64::try_from(MAX_OBJECT_BYTES).unwrap_or(u64::MAX);
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed("read", path))?;
    if bytes.len() > MAX_OBJECT_BYTES {
        return Err(too_large());
    }
    let tag = tag_of(&bytes);
    Ok(Some(Object { bytes, tag }))
}

fn list(folder: &Path, prefix: &ObjectName, names: &mut Vec<ObjectName>) -> Result<(), AnchorError> {
    for (segment, is_folder) in entries(folder)? {
        // What cannot be a name is none of ours: the lock, what is being written, and whatever else lies about.
        let Ok(name) = prefix.join(&segment) else { continue };
        if is_folder {
            list(&folder.join(&segment), &name, names)?;
        } else {
            names.push(name);
        }
    }
    Ok(())
}

/// Takes away what a crash left half-written. Where somebody writes at this moment, there is nothing to take away.
fn clean(folder: &Path) -> Result<(), AnchorError> {
    for (segment, is_folder) in entries(folder)? {
        if segment == TEMPORARY && !is_folder {
            let file = open_lock(folder)?;
            if try_lock(&file).map_err(failed("lock", folder))? {
                remove(&folder.join(TEMPORARY))?;
            }
        } else if is_folder {
            clean(&folder.join(segment))?;
        }
    }
    Ok(())
}

/// What lies in a folder, and whether it is a folder; nothing when there is no such folder.
fn entries(folder: &Path) -> Result<Vec<(String, bool)>, AnchorError> {
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", folder)(error)),
    };
    let mut entries = Vec::new();
    for entry in listed {
        let entry = entry.map_err(failed("list", folder))?;
        let is_folder = entry.file_type().map_err(failed("list", folder))?.is_dir();
        entries.extend(entry.file_name().into_string().ok().map(|name| (name, is_folder)));
    }
    Ok(entries)
}

/// Under the folder's lock: what was left there by somebody who was killed may be another name of an object, so it is
/// unlinked and never written over.
fn write_temporary(folder: &Path, bytes: &[u8]) -> Result<PathBuf, AnchorError> {
    let path = folder.join(TEMPORARY);
    remove(&path)?;
    let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path);
    let mut file = file.map_err(failed("create", &path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed("write", &path))?;
    Ok(path)
}

/// Makes a folder and those above it, each on the disk before the next.
fn make_folder(folder: &Path) -> Result<(), AnchorError> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = parent(folder);
    make_folder(above)?;
    match DirBuilder::new().mode(0o700).create(folder) {
        // Somebody else was quicker, unless it is no folder.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made.map_err(failed("make the folder", folder))?,
    }
    sync_folder(above)
}

fn open_lock(folder: &Path) -> Result<File, AnchorError> {
    let path = folder.join(LOCK);
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    file.map_err(failed("open", &path))
}

fn wait_for_lock(folder: &Path) -> Result<File, AnchorError> {
    let file = open_lock(folder)?;
    let mut waited = Duration::ZERO;
    while !try_lock(&file).map_err(failed("lock", folder))? {
        if waited >= LOCK_PATIENCE {
            return Err(failed("lock", folder)(io::Error::from(ErrorKind::TimedOut)));
        }
        std::thread::sleep(LOCK_PAUSE);
        waited += LOCK_PAUSE;
    }
    Ok(file)
}

fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(source)) => Err(source),
    }
}

fn remove(path: &Path) -> Result<(), AnchorError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

fn sync_folder(folder: &Path) -> Result<(), AnchorError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(failed("sync", folder))
}

/// The folder that a path stands in; for a relative path of one segment it is the current one.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn tag_of(bytes: &[u8]) -> Tag {
    let digest = digest(&SHA256, bytes);
    Tag(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AnchorError {
    let at = path.display().to_string();
    move |source| AnchorError::Unavailable { what, at, source }
}
