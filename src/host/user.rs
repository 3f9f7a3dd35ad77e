//! Another user of this machine, and what keeps him from a file: root, who looks, is kept from none.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// One of `/etc/passwd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// Number of the user.
    pub uid: u32,
    /// Number of his own group.
    pub gid: u32,
}

impl User {
    /// Whoever bears this name, unless it is us.
    #[must_use]
    pub fn other(name: &str) -> Option<Self> {
        let us = fs::metadata("/proc/self").ok()?.uid();
        Self::listed(name, &fs::read_to_string("/etc/passwd").ok()?).filter(|user| user.uid != us)
    }

    fn listed(name: &str, passwd: &str) -> Option<Self> {
        let mut fields =
            passwd.lines().map(|line| line.split(':')).find_map(|mut line| (line.next()? == name).then_some(line))?;
        Some(Self { uid: fields.nth(1)?.parse().ok()?, gid: fields.next()?.parse().ok()? })
    }

    /// What keeps the user from reading this: the file itself, or a directory on the way to it. Goes by the owner, his group and
    /// the mode; `None` also where nothing can be seen.
    #[must_use]
    pub fn kept_from(&self, path: &Path) -> Option<PathBuf> {
        let mut way: Vec<_> = path.ancestors().filter(|part| !part.as_os_str().is_empty()).collect();
        way.reverse();
        way.into_iter().find(|part| !self.may(part)).map(Path::to_owned)
    }

    /// Enter it, if it is a directory, else read it.
    fn may(&self, path: &Path) -> bool {
        let Ok(metadata) = fs::metadata(path) else { return true };
        let wanted = if metadata.is_dir() { 0o1 } else { 0o4 };
        let shift = if metadata.uid() == self.uid {
            6
        } else if metadata.gid() == self.gid {
            3
        } else {
            0
        };
        metadata.mode() >> shift & wanted != 0
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_user_is_found_by_his_name() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\ngladhander:x:7:7::/:\ngladhand:x:997:995:gladhand daemon:/var/lib/gladhand:/x\n";
        assert_eq!(User::listed("gladhand", passwd), Some(User { uid: 997, gid: 995 }));
        assert_eq!(User::listed("gladhan", passwd), None);
    }

    #[test]
    fn what_keeps_a_user_from_a_file_is_named() {
        let root = tempfile::tempdir().unwrap();
        let (directory, file) = (root.path().join("directory"), root.path().join("directory/file"));
        fs::create_dir(&directory).unwrap();
        fs::write(&file, "").unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let (uid, gid) = fs::metadata(&file).map(|file| (file.uid(), file.gid())).unwrap();
        let [owner, member, other] = [User { uid, gid }, User { uid: uid + 1, gid }, User { uid: uid + 1, gid: gid + 1 }];
        mode(root.path(), 0o755);
        mode(&directory, 0o750);
        mode(&file, 0o640);
        assert_eq!(owner.kept_from(&file), None);
        assert_eq!(member.kept_from(&file), None);
        assert_eq!(other.kept_from(&file), Some(directory.clone()));
        mode(&file, 0o600);
        assert_eq!(member.kept_from(&file), Some(file.clone()));
        mode(&directory, 0o755);
        assert_eq!(other.kept_from(&file), Some(file.clone()));
        assert_eq!(other.kept_from(&directory.join("absent")), None);
        mode(&file, 0o044);
        assert_eq!(owner.kept_from(&file), Some(file), "the owner's own bits count, as they do for the kernel");
    }
}
