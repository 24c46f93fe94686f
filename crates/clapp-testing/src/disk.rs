//! Folders, and disks that run full.

use std::{
    ffi::OsStr,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::skip;

/// What is in a folder, in order of the names; nothing if there is no such folder.
#[must_use]
pub fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// A disk in memory, unmounted on drop. Mounting one takes the rights of the machine's owner.
#[derive(Debug)]
pub struct TinyDisk(tempfile::TempDir);

impl TinyDisk {
    /// A disk of a size such as `256k`, or a skip.
    ///
    /// # Panics
    ///
    /// If there can be no temporary folder.
    #[must_use]
    pub fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mounted = mount(&format!("size={size}"), folder.path());
        if !mounted {
            skip("mounting a tmpfs is not allowed here");
        }
        mounted.then_some(Self(folder))
    }

    /// Makes it larger or smaller.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn resize(&self, size: &str) {
        assert!(mount(&format!("remount,size={size}"), self.path()), "remount at {size}");
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

fn mount(options: &str, folder: &Path) -> bool {
    let arguments = ["-t", "tmpfs", "-o", options, "tmpfs"].map(OsStr::new);
    let mut mount = Command::new("mount");
    mount.args(arguments).arg(folder).stderr(Stdio::null());
    mount.status().is_ok_and(|status| status.success())
}
