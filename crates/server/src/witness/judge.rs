//! What a witness makes of a request whose checkpoint the log signed: pure.

use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::cosignature::AddCheckpoint;
use bailiwick_proof::merkle::{empty_root, verify_consistency};

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It extends what was cosigned.
    Cosign,
    /// The request goes on from another size, or from beyond its own checkpoint.
    OldIsBeyond,
    /// The last cosigned size is this one.
    Stale(u64),
    /// The size that was cosigned last, with another root.
    TwoRoots,
    /// The proof does not hold.
    DoesNotExtend,
}

/// In the order of the specification.
pub(super) fn judge(request: &AddCheckpoint, cosigned: Option<&SignedCheckpoint>) -> Verdict {
    let new = request.checkpoint.unverified();
    let last = cosigned.map(SignedCheckpoint::unverified);
    let last_size = last.map_or(0, |last| last.size);
    if request.old > new.size {
        return Verdict::OldIsBeyond;
    }
    if request.old != last_size {
        return Verdict::Stale(last_size);
    }
    let last_root = last.map_or_else(empty_root, |last| last.root);
    if new.size == last_size && new.root != last_root {
        // Nobody was promised the root of an empty tree; it is what it is.
        return if last.is_some() { Verdict::TwoRoots } else { Verdict::DoesNotExtend };
    }
    match verify_consistency(last_size, &last_root, new.size, &new.root, &request.path) {
        Ok(()) => Verdict::Cosign,
        Err(_) => Verdict::DoesNotExtend,
    }
}

#[cfg(test)]
mod tests {
    use bailiwick_proof::checkpoint::Checkpoint;
    use bailiwick_proof::merkle::{Hash, Node, consistency_proof, leaf_hash, root};
    use bailiwick_proof::note::SigningKey;

    use super::*;

    const ORIGIN: &str = "example.com/cell/1";

    /// A log whose leaves are those numbers, plus a salt from `fork` on.
    struct Tree(Vec<Hash>);

    impl Tree {
        fn new(size: u8, fork: u8) -> Self {
            Self((0..size).map(|leaf| leaf_hash(&[leaf, u8::from(leaf >= fork)])).collect())
        }

        fn signed(&self, size: usize) -> SignedCheckpoint {
            let checkpoint = Checkpoint::new(&ORIGIN.parse().unwrap(), size as u64, root(&self.0[..size]));
            SignedCheckpoint::sign(checkpoint, &[&SigningKey::from_seed(ORIGIN, &[1; 32]).unwrap()]).unwrap()
        }

        fn request(&self, old: u64, size: usize) -> AddCheckpoint {
            let node = |node: Node| {
                let width = 1usize << node.level;
                let start = usize::try_from(node.index).unwrap() * width;
                Ok::<_, std::convert::Infallible>(root(&self.0[start..start + width]))
            };
            let path = consistency_proof(old, size as u64, node).unwrap().unwrap_or_default();
            AddCheckpoint { old, path, checkpoint: self.signed(size) }
        }
    }

    #[test]
    fn what_extends_is_cosigned_and_nothing_else() {
        let (log, fork) = (Tree::new(20, 20), Tree::new(20, 5));
        for (request, last, expected) in [
            (log.request(0, 7), None, Verdict::Cosign),
            (log.request(0, 0), None, Verdict::Cosign),
            (log.request(7, 20), Some(7), Verdict::Cosign),
            (log.request(8, 20), Some(8), Verdict::Cosign),
            (log.request(7, 7), Some(7), Verdict::Cosign),
            (log.request(0, 9), Some(0), Verdict::Cosign),
            (log.request(0, 7), Some(7), Verdict::Stale(7)),
            (log.request(3, 6), Some(7), Verdict::Stale(7)),
            (log.request(7, 9), None, Verdict::Stale(0)),
            (log.request(9, 12), Some(7), Verdict::Stale(7)),
            (fork.request(7, 7), Some(7), Verdict::TwoRoots),
            (fork.request(7, 20), Some(7), Verdict::DoesNotExtend),
            (AddCheckpoint { old: 8, ..log.request(7, 7) }, Some(7), Verdict::OldIsBeyond),
            (AddCheckpoint { path: vec![Hash::ZERO], ..log.request(0, 7) }, None, Verdict::DoesNotExtend),
            (AddCheckpoint { path: vec![Hash::ZERO], ..log.request(7, 7) }, Some(7), Verdict::DoesNotExtend),
            (AddCheckpoint { path: Vec::new(), ..log.request(7, 9) }, Some(7), Verdict::DoesNotExtend),
        ] {
            let cosigned = last.map(|size| log.signed(size));
            assert_eq!(judge(&request, cosigned.as_ref()), expected, "{request} after {last:?}");
        }
        let root = leaf_hash(b"");
        let claimed = Checkpoint { root, ..log.signed(0).unverified().clone() };
        let signed = SignedCheckpoint::sign(claimed, &[&SigningKey::from_seed(ORIGIN, &[1; 32]).unwrap()]).unwrap();
        let empty = AddCheckpoint { old: 0, path: Vec::new(), checkpoint: signed };
        assert_eq!(judge(&empty, None), Verdict::DoesNotExtend, "an empty tree has one root");
    }
}
