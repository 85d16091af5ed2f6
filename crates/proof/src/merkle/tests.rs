use std::convert::Infallible;

use proptest::prelude::*;

use super::*;

/// The definition of RFC 9162 section 2.1.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// RFC 9162 section 2.1.3.1.
fn naive_inclusion(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) = if index < left.len() {
        (naive_inclusion(index, left), right)
    } else {
        (naive_inclusion(index - left.len(), right), left)
    };
    path.push(naive_root(sibling));
    path
}

/// RFC 9162 section 2.1.4.1.
fn naive_consistency(old: usize, leaves: &[Hash], from_the_start: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if from_the_start { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) = if old <= left.len() {
        (naive_consistency(old, left, from_the_start), right)
    } else {
        (naive_consistency(old - left.len(), right, false), left)
    };
    path.push(naive_root(sibling));
    path
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|i| leaf_hash(format!("entry {i}").as_bytes())).collect()
}

fn node_of(leaves: &[Hash]) -> impl FnMut(Node) -> Result<Hash, Infallible> {
    |node| {
        let width = 1 << node.level;
        let start = usize::try_from(node.index).unwrap() * width;
        Ok(naive_root(&leaves[start..start + width]))
    }
}

fn inclusion(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    inclusion_proof(index as u64, leaves.len() as u64, node_of(leaves)).unwrap().unwrap()
}

fn consistency(old: usize, leaves: &[Hash]) -> Vec<Hash> {
    consistency_proof(old as u64, leaves.len() as u64, node_of(leaves)).unwrap().unwrap()
}

/// The reference inputs that implementations of certificate transparency share.
#[test]
fn the_well_known_roots() {
    let inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let bytes = |hex: &str| -> Vec<u8> {
        hex.as_bytes().chunks(2).map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap()).collect()
    };
    let leaves: Vec<Hash> = inputs.iter().map(|input| leaf_hash(&bytes(input))).collect();
    for (size, expected) in [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        (4, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
        (5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
        (6, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
        (7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ] {
        assert_eq!(root(&leaves[..size]).to_hex(), expected, "{size}");
    }
}

#[test]
fn hashes_have_one_spelling() {
    let hash = leaf_hash(b"x");
    assert_eq!(Hash::from_hex(&hash.to_hex()), Ok(hash));
    assert_eq!(Hash::from_base64(&hash.to_base64()), Ok(hash));
    for text in ["", &hash.to_hex().to_uppercase(), &hash.to_hex()[..62], &format!("{hash}00")] {
        assert_eq!(Hash::from_hex(text), Err(InvalidHash), "{text}");
    }
    let zeros = Hash::ZERO.to_base64();
    for text in
        [&zeros.replace('=', ""), &zeros.replace("A=", "B="), &zeros.replace("AA=", "A=="), &format!("{zeros}\n")]
    {
        assert_eq!(Hash::from_base64(text), Err(InvalidHash), "{text}");
    }
}

#[test]
fn every_proof_up_to_130_leaves_is_the_naive_one_and_holds() {
    let all = leaves(130);
    let roots: Vec<Hash> = (0..=all.len()).map(|size| naive_root(&all[..size])).collect();
    for size in 0..=all.len() {
        let tree = &all[..size];
        let n = size as u64;
        assert_eq!(root(tree), roots[size]);
        assert_eq!(root_from(n, node_of(tree)).unwrap(), roots[size]);
        for index in 0..size {
            let path = inclusion(index, tree);
            assert_eq!(path, naive_inclusion(index, tree), "{index} of {size}");
            assert_eq!(verify_inclusion(index as u64, n, &tree[index], &path, &roots[size]), Ok(()));
        }
        for old in 0..=size {
            let path = consistency(old, tree);
            if old > 0 {
                assert_eq!(path, naive_consistency(old, tree, true), "{old} to {size}");
            }
            assert_eq!(verify_consistency(old as u64, &roots[old], n, &roots[size], &path), Ok(()), "{old} to {size}");
        }
    }
}

#[test]
fn no_such_proof() {
    assert_eq!(inclusion_nodes(0, 0), None);
    assert_eq!(inclusion_nodes(7, 7), None);
    assert_eq!(consistency_nodes(8, 7), None);
    assert_eq!(consistency_nodes(0, 7), Some(Vec::new()));
    let hash = Hash::ZERO;
    assert_eq!(verify_inclusion(7, 7, &hash, &[], &hash), Err(ProofError::OutsideTree { index: 7, size: 7 }));
    assert_eq!(verify_consistency(8, &hash, 7, &hash, &[]), Err(ProofError::Shrank { old: 8, new: 7 }));
    assert_eq!(
        verify_consistency(7, &hash, 7, &empty_root(), &[hash]),
        Err(ProofError::TwoRoots { size: 7 }),
        "whatever path comes with it"
    );
    assert_eq!(verify_consistency(0, &hash, 7, &hash, &[]), Err(ProofError::NotTheOlderRoot));
}

#[test]
fn a_frontier_is_as_long_as_its_size_says() {
    let mut frontier = Frontier::new();
    for leaf in leaves(11) {
        frontier.push(leaf, |_, _| {});
    }
    let bytes = frontier.to_bytes();
    assert_eq!(bytes.len(), 3 * 32);
    assert_eq!(Frontier::from_bytes(11, &bytes), Ok(frontier));
    assert_eq!(Frontier::from_bytes(0, &[]), Ok(Frontier::new()));
    assert_eq!(Frontier::from_bytes(12, &bytes), Err(FrontierError::Length { size: 12, expected: 64, got: 96 }));
    assert!(Frontier::from_bytes(11, &bytes[1..]).is_err());
    assert_eq!(Frontier::from_bytes(1 << 63, &[0; 32]), Err(FrontierError::Size { size: 1 << 63 }));
}

proptest! {
    #[test]
    fn pushing_completes_each_node_once_and_stays_right(size in 0usize..400) {
        let all = leaves(size);
        let mut frontier = Frontier::new();
        let mut completed = Vec::new();
        for leaf in &all {
            frontier.push(*leaf, |node, hash| completed.push((node, hash)));
        }
        prop_assert_eq!(frontier.root(), naive_root(&all));
        prop_assert_eq!(completed.len(), size - frontier_nodes(size as u64).len());
        for (node, hash) in completed.iter().copied().chain(frontier.nodes()) {
            prop_assert_eq!(node_of(&all)(node), Ok(hash), "{:?}", node);
        }
        prop_assert_eq!(Frontier::from_bytes(size as u64, &frontier.to_bytes()), Ok(frontier));
    }

    /// A flipped bit, a hash too few or too many, two swapped, another index, size, leaf or root.
    #[test]
    fn a_changed_inclusion_proof_fails(size in 1usize..300, pick: prop::sample::Index, at: prop::sample::Index, bit in 0usize..256) {
        let all = leaves(size);
        let (index, n, root) = (pick.index(size), size as u64, naive_root(&all));
        let path = inclusion(index, &all);
        let check = |index: usize, size: u64, leaf: &Hash, path: &[Hash], root: &Hash| {
            verify_inclusion(index as u64, size, leaf, path, root)
        };
        prop_assert_eq!(check(index, n, &all[index], &path, &root), Ok(()));
        prop_assert!(check(index, n, &flip(&all[index], bit), &path, &root).is_err());
        prop_assert!(check(index, n, &all[index], &path, &flip(&root, bit)).is_err());
        for other in (0..size).filter(|other| *other != index) {
            prop_assert!(check(other, n, &all[index], &path, &root).is_err());
        }
        for changed in mutations(&path, at.index(path.len().max(1)), bit) {
            prop_assert!(check(index, n, &all[index], &changed, &root).is_err());
        }
    }

    #[test]
    fn a_changed_consistency_proof_fails(size in 2usize..300, pick: prop::sample::Index, at: prop::sample::Index, bit in 0usize..256) {
        let all = leaves(size);
        let old = 1 + pick.index(size - 1);
        let (old_root, new_root) = (naive_root(&all[..old]), naive_root(&all));
        let path = consistency(old, &all);
        let check = |old_root: &Hash, new_root: &Hash, path: &[Hash]| {
            verify_consistency(old as u64, old_root, size as u64, new_root, path)
        };
        prop_assert_eq!(check(&old_root, &new_root, &path), Ok(()));
        prop_assert!(check(&flip(&old_root, bit), &new_root, &path).is_err());
        prop_assert!(check(&old_root, &flip(&new_root, bit), &path).is_err());
        for changed in mutations(&path, at.index(path.len().max(1)), bit) {
            prop_assert!(check(&old_root, &new_root, &changed).is_err());
        }
    }

    /// An older tree that differs in one leaf is never extended, whatever honest path is offered.
    #[test]
    fn a_rewritten_log_is_never_consistent(size in 2usize..200, pick: prop::sample::Index, victim: prop::sample::Index) {
        let all = leaves(size);
        let old = 1 + pick.index(size - 1);
        let mut rewritten = all.clone();
        rewritten[victim.index(old)] = leaf_hash(b"rewritten");
        let (old_root, new_root) = (naive_root(&all[..old]), naive_root(&rewritten));
        for path in [consistency(old, &all), consistency(old, &rewritten)] {
            prop_assert!(verify_consistency(old as u64, &old_root, size as u64, &new_root, &path).is_err());
        }
    }

    /// The plans and the expected lengths agree at sizes that no test can build, and nothing overflows.
    #[test]
    fn any_size_has_plans_and_no_panic(a: u64, b: u64, shift in 0u32..64) {
        let (index, size) = (a.min(b) >> shift, a.max(b) >> shift);
        let zero = |_: Node| Ok::<_, Infallible>(Hash::ZERO);
        prop_assert_eq!(frontier_nodes(size).len(), size.count_ones() as usize);
        prop_assert!(root_from(size, zero).is_ok());
        if index < size {
            let path = inclusion_proof(index, size, zero).unwrap().unwrap();
            let outcome = verify_inclusion(index, size, &Hash::ZERO, &path, &Hash::ZERO);
            prop_assert_eq!(outcome, if size == 1 { Ok(()) } else { Err(ProofError::NotIncluded) });
        }
        let path = consistency_proof(index, size, zero).unwrap().unwrap();
        let outcome = verify_consistency(index, &Hash::ZERO, size, &Hash::ZERO, &path);
        let is_of_wrong_length = matches!(outcome, Err(ProofError::PathLength { .. }));
        prop_assert!(!is_of_wrong_length);
        let _ = verify_inclusion(a, b, &Hash::ZERO, &path, &Hash::ZERO);
        let _ = verify_consistency(b, &Hash::ZERO, a, &Hash::ZERO, &path);
    }
}

fn flip(hash: &Hash, bit: usize) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    Hash::new(bytes)
}

fn mutations(path: &[Hash], at: usize, bit: usize) -> Vec<Vec<Hash>> {
    let mut longer = path.to_vec();
    longer.insert(at, leaf_hash(b"one more"));
    let mut all = vec![longer];
    if !path.is_empty() {
        let mut flipped = path.to_vec();
        flipped[at] = flip(&flipped[at], bit);
        let mut shorter = path.to_vec();
        shorter.remove(at);
        all.extend([flipped, shorter]);
    }
    if path.len() > 1 {
        let mut turned = path.to_vec();
        turned.rotate_left(1);
        all.push(turned);
    }
    all
}
