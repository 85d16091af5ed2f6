use std::collections::{BTreeSet, HashSet};

use aws_lc_rs::digest::{SHA256, digest};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;
use crate::hex;

const SEED: [u8; KEY_BYTES] = [7; KEY_BYTES];
/// A few that lie close together and a few anywhere, so that co-paths share much and little.
fn subjects() -> impl Strategy<Value = BTreeSet<u32>> {
    btree_set(prop_oneof![0u32..40, any::<u32>(), u32::MAX - 20..=u32::MAX], 0..30)
}

fn key(subject: u32) -> [u8; KEY_BYTES] {
    *PuncturableKey::from_seed(&SEED).derive(subject).unwrap().reveal()
}

fn punctured<'a>(subjects: impl IntoIterator<Item = &'a u32>) -> PuncturableKey {
    let mut state = PuncturableKey::from_seed(&SEED);
    for subject in subjects {
        assert!(state.puncture(*subject));
    }
    state
}

/// All nodes from the root to a leaf, by the definition and by nothing of what is tested.
fn path(subject: u32) -> Vec<[u8; 32]> {
    let mut path = vec![SEED];
    for bit in format!("{subject:032b}").bytes() {
        let parent = *path.last().unwrap();
        let child = digest(&SHA256, &[b"bailiwick/ggm/v1", &[bit - b'0'][..], &parent].concat());
        path.push(child.as_ref().try_into().unwrap());
    }
    path
}

/// A xorshift generator (Marsaglia), so that the size that is tested never changes.
fn scattered() -> impl Iterator<Item = u32> {
    std::iter::successors(Some(0x9e37_79b9u32), |last| {
        let mut next = last ^ last << 13;
        next ^= next >> 17;
        Some(next ^ next << 5)
    })
}

proptest! {
    #[test]
    fn many_at_once_are_each_what_it_is_alone(gone in subjects(), wanted in subjects()) {
        let state = punctured(&gone);
        let all: Vec<(u32, [u8; KEY_BYTES])> =
            state.derive_all(&wanted).into_iter().map(|(subject, key)| (subject, *key.reveal())).collect();
        let each = |subject: &u32| Some((*subject, *state.derive(*subject)?.reveal()));
        prop_assert!(wanted.iter().all(|subject| state.is_punctured(*subject) == gone.contains(subject)));
        prop_assert_eq!(all, wanted.iter().filter_map(each).collect::<Vec<_>>());
    }
}

/// Computed with Python's `hashlib`, frozen for ever.
#[test]
fn golden_keys() {
    for (subject, golden) in [
        (0, "9571db4745b75d043c2992753745b4486c43d47caa3e2ae68b3bc0ad63880467"),
        (1, "d192b1182c41fc1b4d40e96492a5fe00e7dfcb4bdc874237466b2b1a78f5d139"),
        (0x8000_0000, "6dbc6343d5d516ba8d549fcc249094473ca1fee75055f07f7521c0676b1ea1a4"),
        (u32::MAX, "e406d4f7f605df2a79f5541ea211db8970e19e84b98db4397478246288e85668"),
    ] {
        assert_eq!(hex::encode(&key(subject)), golden);
    }
}

#[test]
fn all_that_holds_keys_prints_nothing() {
    let state = PuncturableKey::from_seed(&SEED);
    assert_eq!(format!("{state:?} {:?}", state.derive(3)), "PuncturableKey([redacted]) Some(SubjectKey([redacted]))");
}

#[test]
fn what_is_punctured_cannot_be_punctured_again() {
    let mut state = punctured(&[5]);
    let before = state.encode();
    assert!(!state.puncture(5));
    assert_eq!(state.encode(), before);
    assert_eq!(state.punctured(), 1);
}

/// The vault's promise: ten thousand erasures in one workspace keep its state below 12 MB.
#[test]
fn ten_thousand_punctures_are_small() {
    const COUNT: usize = 10_000;
    let every = |step: u32| (0..u32::MAX).step_by(usize::try_from(step).unwrap());
    let sets: [(&str, Box<dyn Iterator<Item = u32>>); 4] = [
        ("scattered", Box::new(scattered())),
        ("one after the other", Box::new(0..)),
        ("every second", Box::new(every(2))),
        ("as far apart as they can be", Box::new(every(u32::MAX / u32::try_from(COUNT).unwrap()))),
    ];
    for (name, subjects) in sets {
        let subjects: Vec<u32> = subjects.take(COUNT).collect();
        let state = punctured(&subjects);
        assert_eq!(state.punctured(), u64::try_from(COUNT).unwrap(), "{name}");
        let encoded = state.encode();
        assert!(encoded.len() < 12_000_000, "{name}: {} bytes", encoded.len());
        assert!(subjects.iter().all(|subject| state.derive(*subject).is_none()), "{name}");
        assert_eq!(PuncturableKey::decode(&encoded).unwrap().encode(), encoded, "{name}");
    }
}

#[test]
fn a_tree_can_be_punctured_to_the_last_leaf() {
    // Only the four leaves below one node are left; getting there leaf by leaf would take years.
    let mut only = vec![1, 0, 0, 0, 1, 30, 0, 0, 0, 8];
    only.extend_from_slice(&path(8)[30]);
    let mut state = PuncturableKey::decode(&only).unwrap();
    for (done, subject) in [(0, 9), (1, 11), (2, 8), (3, 10)] {
        assert_eq!(state.punctured(), (1 << 32) - 4 + done);
        assert_eq!(*state.derive(subject).unwrap().reveal(), key(subject));
        assert!(state.puncture(subject));
    }
    assert_eq!(**state.encode(), [1, 0, 0, 0, 0]);
    assert_eq!(state.punctured(), 1 << 32);
    assert!(!state.puncture(0));
}

proptest! {
    #[test]
    fn exactly_the_punctured_are_gone(gone in subjects(), others in vec(any::<u32>(), 20)) {
        let state = punctured(&gone);
        prop_assert_eq!(state.punctured(), gone.len() as u64);
        let beside = gone.iter().flat_map(|subject| (0..32).step_by(5).map(move |bit| subject ^ 1 << bit));
        for subject in others.into_iter().chain(beside).chain(gone.iter().copied()) {
            let found = state.derive(subject).map(|key| *key.reveal());
            prop_assert_eq!(found, (!gone.contains(&subject)).then(|| *path(subject).last().unwrap()), "{}", subject);
        }
    }

    #[test]
    fn no_node_above_a_punctured_leaf_stays(gone in subjects()) {
        let state = punctured(&gone).encode();
        let held: HashSet<&[u8]> = state.windows(KEY_BYTES).collect();
        for subject in &gone {
            for (depth, node) in path(*subject).iter().enumerate() {
                prop_assert!(!held.contains(&node[..]), "{} at depth {}", subject, depth);
            }
        }
    }

    #[test]
    fn the_order_of_punctures_leaves_no_trace(gone in subjects().prop_map(Vec::from_iter).prop_shuffle()) {
        let mut sorted = gone.clone();
        sorted.sort_unstable();
        prop_assert_eq!(punctured(&gone).encode(), punctured(&sorted).encode());
    }

    #[test]
    fn bytes_and_back(gone in subjects()) {
        let encoded = punctured(&gone).encode();
        prop_assert_eq!(PuncturableKey::decode(&encoded).unwrap().encode(), encoded);
    }

    /// Whatever is changed, cut, doubled or added: refused, or another state in its one spelling.
    #[test]
    fn a_changed_state_is_refused_or_another(gone in subjects(), at: prop::sample::Index, to: u8, more in vec(any::<u8>(), 1..80)) {
        let encoded = punctured(&gone).encode();
        let mut changed = encoded.to_vec();
        changed[at.index(encoded.len())] = to;
        if let Ok(state) = PuncturableKey::decode(&changed) {
            prop_assert_eq!(&**state.encode(), &changed[..]);
        }
        prop_assert!(PuncturableKey::decode(&encoded[..at.index(encoded.len())]).is_err());
        prop_assert!(PuncturableKey::decode(&[&encoded[..], &more].concat()).is_err());
    }

    #[test]
    fn anything_else_is_refused_without_a_panic(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(state) = PuncturableKey::decode(&bytes) {
            prop_assert_eq!(&**state.encode(), &bytes[..]);
        }
    }
}
