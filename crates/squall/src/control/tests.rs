use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::store::{SOCKET, TOKEN};

/// A listener in `folder` that says a word and then that it is done.
fn listen(folder: &Path) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let listener = runtime.block_on(async { Listener::open(folder).unwrap() });
    runtime.spawn(listener.serve(|ask, answers| async move {
        answers.send(Reply::Said("at it".to_owned())).await;
        answers.send(Reply::Done(format!("{ask:?}"))).await;
    }));
    runtime
}

#[test]
fn who_has_the_token_is_answered_until_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let _runtime = listen(folder.path());
    let mut said = Vec::new();
    let reply = ask(folder.path(), &Ask::Status, |text| said.push(text.to_owned())).unwrap();
    assert_eq!(
        (reply, said),
        (Reply::Done("Status".to_owned()), vec!["at it".to_owned()])
    );
}

#[test]
fn without_the_token_nothing_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let _runtime = listen(folder.path());
    for wrong in ["", "0", &"0".repeat(32), &"0".repeat(33)] {
        std::fs::write(folder.path().join(TOKEN), wrong).unwrap();
        let reply = ask(folder.path(), &Ask::Down, |_| panic!("something was done")).unwrap();
        assert!(matches!(reply, Reply::Refused { .. }), "{wrong}: {reply:?}");
    }
}

#[test]
fn the_socket_and_the_token_are_for_their_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let _runtime = listen(folder.path());
    for name in [SOCKET, TOKEN] {
        let mode = std::fs::metadata(folder.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_folder_whose_path_is_longer_than_a_sockets_may_be_has_one_too() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a".repeat(100)).join("b".repeat(100));
    std::fs::create_dir_all(&deep).unwrap();
    let _runtime = listen(&deep);
    assert!(matches!(ask(&deep, &Ask::Status, |_| ()), Ok(Reply::Done(_))));
}

#[test]
fn where_nobody_listens_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = listen(folder.path());
    runtime.shutdown_background();
    let until = std::time::Instant::now() + Duration::from_secs(10);
    let error = loop {
        match ask(folder.path(), &Ask::Status, |_| ()) {
            Err(error) => break error,
            Ok(_) => assert!(std::time::Instant::now() < until, "it still answers"),
        }
    };
    assert!(matches!(error, Unheard::Gone { .. }), "{error}");
}
