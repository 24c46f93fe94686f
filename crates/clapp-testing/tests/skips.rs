//! What is skipped is written down, by the tests of this very program.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

use clapp_testing::{child, folder, skip};

#[test]
#[ignore = "started by the test that counts it"]
fn child_is_skipped() {
    assert_eq!(folder("CLAPP_NO_SUCH_DIR"), None);
    skip("of two reasons");
}

#[test]
fn a_skipped_test_is_counted_with_its_name_and_its_reasons() {
    let folder = tempfile::tempdir().unwrap();
    let skips = folder.path().join("skips");
    let output = child("child_is_skipped").env("CLAPP_SKIPS", &skips).output().unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("skipped: CLAPP_NO_SUCH_DIR names no folder"), "{printed}");
    assert_eq!(
        std::fs::read_to_string(skips).unwrap(),
        "skips child_is_skipped: CLAPP_NO_SUCH_DIR names no folder\n\
         skips child_is_skipped: of two reasons\n"
    );
}
