//! One-time codes as they are typed.

use proptest::prelude::*;
use uplink::enrol::{Code, CodeFault, Fingerprint};

fn code() -> Code {
    Code::new([7; Code::SECRET], Fingerprint::of(b"an authority"))
}

fn groups() -> Vec<String> {
    code().show().split('-').map(str::to_owned).collect()
}

/// A code that was printed must be read by every later version.
#[test]
fn a_code_stands_as_it_was_printed() {
    let shown = code().show();
    assert_eq!(shown, "0W3GEK-1R70W7-3GE1RA-70W3GQ-E1R775-SGWJS5-M1FMVJ-0PY78H-FRXP6E-HB190C");
    assert_eq!(Code::parse(&shown), Ok(code()));
}

#[test]
fn a_code_is_read_however_it_is_typed() {
    let shown = code().show();
    for typed in [
        shown.to_lowercase(),
        shown.replace('-', " "),
        shown.replace('-', ""),
        format!("  {}\n", shown.replace('-', " - ")),
        shown.replace('0', "o").replace('1', "l"),
        shown.replace('1', "I"),
    ] {
        assert_eq!(Code::parse(&typed), Ok(code()), "{typed}");
    }
}

#[test]
fn what_was_mistyped_is_named() {
    let with = |change: fn(&mut Vec<String>)| {
        let mut groups = groups();
        change(&mut groups);
        Code::parse(&groups.join("-"))
    };
    assert_eq!(with(|it| it[2].replace_range(0..1, "4")), Err(CodeFault::Group(3)));
    assert_eq!(with(|it| it.swap(4, 5)), Err(CodeFault::Group(5)));
    assert_eq!(with(|it| it[9].replace_range(1..2, "U")), Err(CodeFault::Sign(10)));
    assert_eq!(with(|it| it[9].replace_range(1..2, "学")), Err(CodeFault::Sign(10)));
    assert_eq!(with(|it| it[0].push('0')), Err(CodeFault::Length(1)));
    assert_eq!(with(|it| drop(it.pop())), Err(CodeFault::Groups(9)));
    assert_eq!(Code::parse(""), Err(CodeFault::Groups(0)));
    assert_eq!(
        CodeFault::Group(3).to_string(),
        "group 3 does not fit: one of its signs is wrong, two are exchanged, or it stands elsewhere"
    );
}

#[test]
fn nothing_of_a_code_is_written_by_accident() {
    assert_eq!(format!("{:?} {:?}", code(), code().secret()), "Code(..) Secret(..)");
}

proptest! {
    /// Whatever the code: it is read back, and one wrong sign, two exchanged ones or two exchanged groups never pass.
    #[test]
    fn no_usual_fault_passes(
        secret in any::<[u8; Code::SECRET]>(), authority in any::<[u8; 8]>(),
        group in 0usize..10, other in 0usize..10, sign in 0usize..6, to in 0usize..32,
    ) {
        let code = Code::new(secret, Fingerprint::of(&authority));
        let shown = code.show();
        prop_assert_eq!(Code::parse(&shown), Ok(code));
        let groups: Vec<Vec<u8>> = shown.split('-').map(|it| it.as_bytes().to_vec()).collect();
        let typed = |groups: &[Vec<u8>]| {
            let groups: Vec<&str> = groups.iter().map(|it| std::str::from_utf8(it).expect("ASCII")).collect();
            Code::parse(&groups.join("-"))
        };
        let mut wrong = groups.clone();
        wrong[group][sign] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"[to];
        if wrong != groups {
            prop_assert_eq!(typed(&wrong), Err(CodeFault::Group(group + 1)));
        }
        let mut exchanged = groups.clone();
        exchanged[group].swap(sign, (sign + 1) % 6);
        if exchanged != groups {
            prop_assert_eq!(typed(&exchanged), Err(CodeFault::Group(group + 1)));
        }
        let mut moved = groups.clone();
        moved.swap(group, other);
        if group != other {
            prop_assert_eq!(typed(&moved), Err(CodeFault::Group(group.min(other) + 1)));
        }
    }
}
