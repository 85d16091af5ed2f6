//! In a bucket: a real server that speaks S3, and what becomes of the promises when it fails.

use std::time::Instant;

use bailiwick_server::anchor::{AnchorError, AnchorStore, OPERATION_LIMIT};
use bailiwick_server::config::AnchorPlace;
use bailiwick_server::entropy::Entropy;
use secrecy::SecretString;

use super::promises::{self, content, name};
use crate::harness::bucket::{Behaviour, ObjectStore};

async fn try_open(place: &AnchorPlace) -> Result<AnchorStore, AnchorError> {
    AnchorStore::open(place, &Entropy::system()).await
}

async fn open(place: &AnchorPlace) -> AnchorStore {
    try_open(place).await.unwrap()
}

#[tokio::test]
async fn it_keeps_what_a_store_promises() {
    let server = ObjectStore::start().await;
    for prefix in ["", "eu/main"] {
        let place = server.place(prefix);
        promises::are_kept(&open(&place).await, &open(&place).await).await;
    }
    let (inside, beside) = (open(&server.place("eu/main")).await, open(&server.place("eu/other")).await);
    assert!(content(&inside, &name("created/a")).await.is_some());
    assert_eq!(content(&beside, &name("created/a")).await, None, "a prefix is a store of its own");
    assert_eq!(inside.place(&name("created/a")), "s3://anchors/eu/main/created/a");
}

#[tokio::test]
async fn a_store_on_whose_conditions_nobody_can_rely_is_refused() {
    let server = ObjectStore::start().await;
    for (behaviour, reason) in
        [(Behaviour::Unconditional, "does not honour If-None-Match"), (Behaviour::Versioned, "keeps versions")]
    {
        // A first start and a later one find out alike.
        for _ in 0..2 {
            server.behave(behaviour);
            let refused = try_open(&server.place("a")).await.unwrap_err();
            assert!(matches!(&refused, AnchorError::Unfit { at, .. } if at == "s3://anchors/a/"), "{refused}");
            assert!(refused.to_string().contains(reason), "{refused}");
            server.behave(Behaviour::Serving);
            open(&server.place("a")).await;
        }
    }
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_known_again() {
    let server = ObjectStore::start().await;
    let store = open(&server.place("")).await;
    let object = name("a/b");
    server.behave(Behaviour::LosingAnAnswer);
    let first = store.create(&object, b"one").await.unwrap();
    server.behave(Behaviour::LosingAnAnswer);
    let tag = store.replace(&object, b"two", &first).await.unwrap();
    assert_eq!(store.read(&object).await.unwrap().unwrap().tag, tag);
    assert_eq!(content(&store, &object).await.unwrap(), b"two");

    // That the same lies there already does not make it ours, whether the first attempt failed or not.
    for behaviour in [Behaviour::Serving, Behaviour::FailingOnce] {
        server.behave(behaviour);
        let exists = store.create(&object, b"two").await;
        assert!(matches!(exists, Err(AnchorError::Exists { .. })), "{exists:?}");
        server.behave(behaviour);
        let stale = store.replace(&object, b"two", &first).await;
        assert!(matches!(stale, Err(AnchorError::Changed { .. })), "{stale:?}");
    }
}

#[tokio::test]
async fn a_bucket_that_is_away_or_hangs_is_said_to_be_and_serves_again_afterwards() {
    let server = ObjectStore::start().await;
    let store = open(&server.place("")).await;
    let object = name("a/b");
    let tag = store.create(&object, b"one").await.unwrap();
    for behaviour in [Behaviour::Away, Behaviour::Hanging] {
        server.behave(behaviour);
        let begun = Instant::now();
        let (new, bytes) = (name("a/new"), b"two");
        let failed = tokio::join!(
            async { store.create(&new, bytes).await.map(|_| ()) },
            async { store.replace(&object, bytes, &tag).await.map(|_| ()) },
            async { store.read(&object).await.map(|_| ()) },
            async { store.list(&name("a")).await.map(|_| ()) },
            async { try_open(&server.place("")).await.map(|_| ()) },
        );
        let wanted = [("create", "a/new"), ("replace", "a/b"), ("read", "a/b"), ("list", "a"), ("create", "probe")];
        for (failed, (operation, place)) in <[_; 5]>::from(failed).into_iter().zip(wanted) {
            let error = failed.unwrap_err();
            let AnchorError::Unavailable { what, at, .. } = &error else { panic!("{error}") };
            assert_eq!((*what, at.as_str()), (operation, format!("s3://anchors/{place}").as_str()), "{error}");
        }
        assert!(begun.elapsed() < OPERATION_LIMIT * 2, "{:?}", begun.elapsed());
        server.behave(Behaviour::Serving);
        assert_eq!(content(&store, &new).await, None, "what failed before it was written was not written");
        assert_eq!(content(&store, &object).await.unwrap(), b"one");
    }
    store.replace(&object, b"two", &tag).await.unwrap();
}

#[tokio::test]
async fn a_key_that_does_not_open_and_a_server_that_is_not_there_are_said() {
    let server = ObjectStore::start().await;
    let mut wrong = server.bucket("");
    wrong.secret_access_key = SecretString::from("another-key");
    let mut nowhere = server.bucket("");
    nowhere.endpoint = Some("http://127.0.0.1:9".to_owned());
    for place in [wrong, nowhere] {
        let refused = try_open(&AnchorPlace::Bucket(place)).await.unwrap_err();
        assert!(matches!(refused, AnchorError::Unavailable { what: "create", .. }), "{refused}");
        assert!(!refused.to_string().contains("another-key"), "{refused}");
    }
}
