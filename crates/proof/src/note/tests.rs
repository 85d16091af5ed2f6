use proptest::prelude::*;

use super::*;

const NAME: &str = "example.com/log";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(NAME, &[seed; 32]).unwrap()
}

fn word(note: &str, known: &[VerifierKey]) -> Result<(), &'static str> {
    let note: SignedNote = note.parse().map_err(|error: NoteError| error.word())?;
    note.verify(known).map(|_| ()).map_err(|error| error.word())
}

/// The examples that stand in the specifications themselves.
#[test]
fn the_specification_s_note_parses() {
    let note = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n\
        — quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
    let parsed: SignedNote = note.parse().unwrap();
    assert_eq!(parsed.signatures()[0].name(), "quasimodo.example/salvatore");
    assert_eq!(parsed.signatures()[0].id().to_string(), "367ba04b");
    assert!(parsed.text().ends_with("sole:\n\ned è subito sera.\n"));
    assert_eq!(parsed.to_string(), note);
}

#[test]
fn known_keys_count_and_others_do_not() {
    let (ours, new, stranger) = (key(1), key(2), SigningKey::from_seed("other.example", &[3; 32]).unwrap());
    let [ours_only, both, all, strange] = [&[&ours][..], &[&new, &ours], &[&stranger, &new, &ours], &[&stranger]]
        .map(|keys| SignedNote::sign("text\n", keys).unwrap().to_string());
    let known = [ours.verifier().clone()];
    for note in [&ours_only, &both, &all] {
        assert_eq!(word(note, &known), Ok(()), "{note}");
    }
    assert_eq!(word(&strange, &known), Err("no_known_signature"));
    assert_eq!(word(&ours_only, &[]), Err("no_known_signature"));
    assert_eq!(word(&ours_only, &[ours.verifier().clone(), ours.verifier().clone()]), Ok(()), "given twice");
    let signed: SignedNote = both.parse().unwrap();
    let known = [ours.verifier().clone(), new.verifier().clone()];
    assert_eq!(signed.verify(&known).unwrap(), [new.verifier(), ours.verifier()], "in the order of the lines");
}

#[test]
fn a_bad_or_second_signature_of_a_known_key_refuses_all() {
    let (ours, new) = (key(1), key(2));
    let known = [ours.verifier().clone(), new.verifier().clone()];
    let note = SignedNote::sign("text\n", &[&new, &ours]).unwrap().to_string();
    assert_eq!(word(&note.replace("text", "test"), &known), Err("bad_signature"));
    let (_, lines) = note.split_once("\n\n").unwrap();
    assert_eq!(word(&format!("{note}{lines}"), &known), Err("signed_twice"));
    let mut twin = ours.verifier().clone();
    twin = VerifierKey::with_id(twin.name(), twin.id(), *new.verifier().public());
    assert_eq!(word(&note, &[ours.verifier().clone(), twin]), Err("ambiguous_key"));
}

#[test]
fn malformed_notes() {
    let note = SignedNote::sign("text\n", &[&key(1)]).unwrap().to_string();
    let line = note.split_once("\n\n").unwrap().1.to_owned();
    let known = [key(1).verifier().clone()];
    for (changed, expected) in [
        (String::new(), "note_shape"),
        ("text\n".to_owned(), "note_shape"),
        ("text\n\n".to_owned(), "note_shape"),
        (note.trim_end().to_owned(), "note_shape"),
        (format!("{note}\n"), "note_shape"),
        (note.replace("\n\n", "\n"), "note_shape"),
        (note.replace('—', "-"), "note_signature_line"),
        (note.replace("— ", "—  "), "note_signature_line"),
        (note.replace(NAME, "a+b"), "note_signature_line"),
        (note.replace("=\n", "\n"), "note_signature_line"),
        (note.replace(&line, "— example.com/log AAAAAA==\n"), "note_signature_line"),
        (format!("{note}more\n"), "note_signature_line"),
        (note.replace('\n', "\r\n"), "note_control_character"),
        (note.replace("text", "te\txt"), "note_control_character"),
        (note.replace("text", "te\0xt"), "note_control_character"),
        (note.replace("text", &"x".repeat(MAX_NOTE_BYTES)), "note_too_long"),
        (format!("{note}{}", line.repeat(MAX_SIGNATURES)), "note_too_many_signatures"),
    ] {
        assert_eq!(word(&changed, &known), Err(expected), "{changed:.300}");
    }
    let strangers: String = (0..MAX_SIGNATURES - 1).map(|_| "— x AAAAAAA=\n").collect();
    assert_eq!(word(&format!("{note}{strangers}"), &known), Ok(()));
    assert_eq!(SignedNote::sign("no newline", &[&key(1)]), Err(NoteError::Shape));
    assert_eq!(SignedNote::sign("unsigned\n", &[]), Err(NoteError::Shape));
}

#[test]
fn vkeys_have_one_spelling() {
    let vkey = key(1).verifier().to_string();
    assert_eq!(vkey, "example.com/log+9be5d3c6+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c");
    assert_eq!(vkey.parse(), Ok(key(1).verifier().clone()));
    let other = key(2).verifier().to_string();
    let check =
        |text: &str, word: &str| assert_eq!(text.parse::<VerifierKey>().map_err(|e| e.word()), Err(word), "{text}");
    check("", "vkey_shape");
    check(NAME, "vkey_shape");
    check(&vkey.replace('+', "-"), "vkey_shape");
    check(&vkey.to_uppercase(), "vkey_shape");
    check(&format!("{vkey}\n"), "vkey_shape");
    check(&vkey[..vkey.len() - 1], "vkey_shape");
    check(&vkey[..vkey.len() - 4], "vkey_shape");
    check(&vkey.replace("+AYq", "+AYr"), "vkey_id");
    check(&vkey.replace(NAME, "example.com/lag"), "vkey_id");
    check(&format!("{}{}", &vkey[..25], &other[25..]), "vkey_id");
    check(&vkey.replace(NAME, ""), "vkey_name");
    check(&vkey.replace(NAME, "a b"), "vkey_name");
    check(&vkey.replace(NAME, &"a".repeat(300)), "vkey_name");
    check("example.com/log+9be5d3c6+Ag==", "vkey_algorithm");
    assert!(SigningKey::from_seed("a b", &[1; 32]).is_err());
}

#[test]
fn debug_tells_no_secret() {
    assert_eq!(format!("{:?}", key(1)), "SigningKey(example.com/log+9be5d3c6, [redacted])");
}

proptest! {
    #[test]
    fn text_and_back(text in "(\\PC{0,30}\n){1,4}", seeds in prop::collection::vec(any::<u8>(), 1..4)) {
        let keys: Vec<SigningKey> = seeds.iter().map(|seed| key(*seed)).collect();
        let note = SignedNote::sign(&text, &keys.iter().collect::<Vec<_>>());
        prop_assert_eq!(note.as_ref().unwrap().text(), &text);
        let printed = note.as_ref().unwrap().to_string();
        prop_assert_eq!(printed.parse(), note);
    }

    /// A flipped bit anywhere makes another text, an unknown key, or no note at all.
    #[test]
    fn a_changed_note_does_not_verify(at: prop::sample::Index, bit in 0u8..8) {
        let note = SignedNote::sign("some text\nof two lines\n", &[&key(1)]).unwrap().to_string();
        let mut bytes = note.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(changed) = String::from_utf8(bytes) {
            prop_assert!(word(&changed, &[key(1).verifier().clone()]).is_err(), "{}", changed);
        }
    }

    #[test]
    fn whatever_parses_prints_back(text in "(a?\n){0,3}\n(— (a|b) (AAAAAAA=|AAAAAAAA|AAAA)\n){0,2}") {
        if let Ok(note) = text.parse::<SignedNote>() {
            prop_assert_eq!(note.to_string(), text);
        }
    }
}
