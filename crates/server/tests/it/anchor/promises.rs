//! What every anchor store promises, whatever it lies in.

use bailiwick_server::anchor::{AnchorError, AnchorStore, MAX_OBJECT_BYTES, ObjectName};
use futures_util::future::join_all;

/// So many count up one object at once, and so often each.
const COUNTERS: usize = 4;
const COUNTS: u32 = 10;

pub fn name(text: &str) -> ObjectName {
    text.parse().unwrap()
}

/// What an object holds.
pub async fn content(store: &AnchorStore, object: &ObjectName) -> Option<Vec<u8>> {
    store.read(object).await.unwrap().map(|object| object.bytes.to_vec())
}

/// All promises, kept by two views of one empty store.
pub async fn are_kept(store: &AnchorStore, other: &AnchorStore) {
    what_is_created_is_created_once(store, other).await;
    what_was_changed_is_not_replaced(store, other).await;
    listing_is_complete_and_sorted(store, other).await;
    of_many_who_create_one_does(store, other).await;
    no_count_is_lost(store, other).await;
    the_limit_is_exact(store).await;
}

async fn what_is_created_is_created_once(store: &AnchorStore, other: &AnchorStore) {
    let object = name("created/a");
    assert_eq!(content(other, &object).await, None);
    store.create(&object, b"one").await.unwrap();
    for again in [store, other] {
        let refused = again.create(&object, b"two").await;
        assert!(matches!(&refused, Err(AnchorError::Exists { name }) if *name == object), "{refused:?}");
    }
    assert_eq!(content(other, &object).await.unwrap(), b"one");
    store.create(&name("created/empty"), b"").await.unwrap();
    assert_eq!(content(other, &name("created/empty")).await.unwrap(), b"");
}

async fn what_was_changed_is_not_replaced(store: &AnchorStore, other: &AnchorStore) {
    let object = name("replaced/a");
    let first = store.create(&object, b"one").await.unwrap();
    assert_eq!(other.read(&object).await.unwrap().unwrap().tag, first, "the tag is that of the content");
    let second = store.replace(&object, b"two", &first).await.unwrap();
    let refused = other.replace(&object, b"three", &first).await;
    assert!(matches!(&refused, Err(AnchorError::Changed { name }) if *name == object), "{refused:?}");
    assert_eq!(content(store, &object).await.unwrap(), b"two");
    other.replace(&object, b"four", &second).await.unwrap();
    assert_eq!(content(store, &object).await.unwrap(), b"four");
    for never in ["replaced/b", "nowhere/at/all"] {
        let refused = store.replace(&name(never), b"x", &first).await;
        assert!(matches!(refused, Err(AnchorError::Changed { .. })), "{refused:?}");
        assert_eq!(content(other, &name(never)).await, None);
    }
}

async fn listing_is_complete_and_sorted(store: &AnchorStore, other: &AnchorStore) {
    let names = ["listed/a", "listed/b-1/x/y.json", "listed/b/2", "listed/b/10"].map(name);
    for object in &names {
        store.create(object, b"").await.unwrap();
    }
    store.create(&name("listed-not/a"), b"").await.unwrap();
    let mut sorted = names.to_vec();
    sorted.sort();
    assert_eq!(other.list(&name("listed")).await.unwrap(), sorted);
    assert_eq!(other.list(&name("listed/b")).await.unwrap(), ["listed/b/10", "listed/b/2"].map(name));
    assert_eq!(other.list(&name("listed/nothing")).await.unwrap(), []);
    assert_eq!(other.list(&name("listed/a")).await.unwrap(), [], "an object is no prefix");
}

async fn of_many_who_create_one_does(store: &AnchorStore, other: &AnchorStore) {
    let object = &name("raced/a");
    let racers = [store, other, store, other, store, other].into_iter().enumerate();
    let raced = join_all(racers.map(async |(n, store)| store.create(object, &[u8::try_from(n).unwrap()]).await)).await;
    let won: Vec<usize> = (0..).zip(&raced).filter(|(_, result)| result.is_ok()).map(|(n, _)| n).collect();
    let [winner] = won.as_slice() else { panic!("one creates it: {raced:?}") };
    assert_eq!(content(other, object).await.unwrap(), [u8::try_from(*winner).unwrap()]);
    assert!(raced.iter().all(|result| matches!(result, Ok(_) | Err(AnchorError::Exists { .. }))), "{raced:?}");
}

async fn no_count_is_lost(store: &AnchorStore, other: &AnchorStore) {
    let object = name("counted/a");
    store.create(&object, b"0").await.unwrap();
    let views = [store, other].into_iter().cycle().take(COUNTERS);
    join_all(views.map(|store| tokio::spawn(count(store.clone(), object.clone()))))
        .await
        .into_iter()
        .for_each(Result::unwrap);
    let total = u32::try_from(COUNTERS).unwrap() * COUNTS;
    assert_eq!(content(store, &object).await.unwrap(), total.to_string().as_bytes());
}

async fn count(store: AnchorStore, object: ObjectName) {
    let mut counted = 0;
    while counted < COUNTS {
        let seen = store.read(&object).await.unwrap().unwrap();
        let next = std::str::from_utf8(&seen.bytes).unwrap().parse::<u32>().unwrap() + 1;
        match store.replace(&object, next.to_string().as_bytes(), &seen.tag).await {
            Ok(_) => counted += 1,
            Err(AnchorError::Changed { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

async fn the_limit_is_exact(store: &AnchorStore) {
    let (largest, larger) = (vec![7; MAX_OBJECT_BYTES], vec![7; MAX_OBJECT_BYTES + 1]);
    let object = name("large/a");
    let tag = store.create(&object, &largest).await.unwrap();
    assert_eq!(store.read(&object).await.unwrap().unwrap().bytes.len(), MAX_OBJECT_BYTES);
    let refused = [store.replace(&object, &larger, &tag).await, store.create(&name("large/b"), &larger).await];
    for refused in refused {
        assert!(matches!(refused, Err(AnchorError::TooLarge { .. })), "{refused:?}");
    }
    assert_eq!(content(store, &name("large/b")).await, None);
}
