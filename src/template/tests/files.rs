//! Tests of paths on the controller.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::vault;

use super::super::arguments::Arguments;
use super::super::context::Beyond;
use super::super::fault::Outcome;
use super::super::scope::Scope;
use super::{Test, test};

pub(crate) const TESTS: &[Test] = &[
    test("exists", |arguments, scope| Ok(path(arguments, scope)?.exists())),
    test("link_exists", |arguments, scope| Ok(path(arguments, scope)?.symlink_metadata().is_ok())),
    test("file", |arguments, scope| Ok(path(arguments, scope)?.is_file())),
    test("is_file", |arguments, scope| Ok(path(arguments, scope)?.is_file())),
    test("directory", |arguments, scope| Ok(path(arguments, scope)?.is_dir())),
    test("is_dir", |arguments, scope| Ok(path(arguments, scope)?.is_dir())),
    test("link", |arguments, scope| Ok(path(arguments, scope)?.is_symlink())),
    test("is_link", |arguments, scope| Ok(path(arguments, scope)?.is_symlink())),
    test("mount", |arguments, scope| Ok(is_mount(&path(arguments, scope)?))),
    test("is_mount", |arguments, scope| Ok(is_mount(&path(arguments, scope)?))),
    test("abs", |arguments, _| Ok(arguments.bind(["path"])?.text(0)?.starts_with('/'))),
    test("is_abs", |arguments, _| Ok(arguments.bind(["path"])?.text(0)?.starts_with('/'))),
    test("same_file", same_file),
    test("is_same_file", same_file),
    test("vaulted_file", |arguments, scope| {
        let path = path(arguments, scope)?;
        Ok(fs::read_to_string(path).is_ok_and(|text| vault::is_vault(&text)))
    }),
];

fn path(arguments: Arguments, scope: &Scope) -> Outcome<PathBuf> {
    scope.go_beyond(Beyond::Files)?;
    Ok(scope.context.controller.directory.join(arguments.bind(["path"])?.text(0)?.as_ref()))
}

/// Another device than the folder above, or the root.
fn is_mount(path: &Path) -> bool {
    let (Ok(here), Ok(above)) = (path.symlink_metadata(), path.join("..").metadata()) else {
        return false;
    };
    !here.is_symlink() && (here.dev() != above.dev() || here.ino() == above.ino())
}

fn same_file(arguments: Arguments, scope: &Arc<Scope>) -> Outcome<bool> {
    scope.go_beyond(Beyond::Files)?;
    let bound = arguments.bind(["path", "other"])?;
    let known = |index: usize| -> Outcome<Option<(u64, u64)>> {
        let path = scope.context.controller.directory.join(bound.text(index)?.as_ref());
        Ok(path.metadata().ok().map(|known| (known.dev(), known.ino())))
    };
    let (left, right) = (known(0)?, known(1)?);
    Ok(left.is_some() && left == right)
}
