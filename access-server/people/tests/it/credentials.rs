//! Cards, PINs and codes.

use domain::policy::{CredentialStatus, CredentialUse};
use domain::request::CredentialKind;
use kit::testing::sites;
use people::credential::{self, Card, Pin, Qr, Secret, Terms};
use people::person::{self, Particulars};
use people::{MIGRATIONS, PeopleError};

fn pin(digits: &str) -> Secret {
    Secret::Pin(Pin::parse(digits).unwrap())
}

#[tokio::test]
async fn a_credential_is_kept_as_a_digest_and_found_by_it() {
    for site in sites(MIGRATIONS).await {
        let mut tx = site.kit.begin().await.unwrap();
        let ada = person::add(&mut tx, None, &Particulars::named("ada", "Ada")).await.unwrap();
        let card = Secret::Card(Card::wiegand26(12, 3456));
        let id = credential::add(&mut tx, None, ada, &card, &Terms::ordinary("main")).await.unwrap();
        credential::add(&mut tx, None, ada, &pin("1234"), &Terms::ordinary("")).await.unwrap();
        let qr = Secret::Qr(Qr::new(b"visit").unwrap());
        credential::add(&mut tx, None, ada, &qr, &Terms::ordinary("visit")).await.unwrap();
        tx.commit().await.unwrap();

        let digest = card.digest(site.kit.keys().credential(), ada);
        let mut connection = site.kit.read().acquire().await.unwrap();
        let found = credential::by_digest(&mut connection, &digest).await.unwrap().unwrap();
        assert_eq!((found.id, found.person, found.kind), (id, ada, CredentialKind::Card));
        let of_ada = credential::of_person(&site.kit, ada).await.unwrap();
        assert_eq!(of_ada.len(), 3);
        let for_policy = credential::for_policy(&mut connection).await.unwrap();
        assert!(of_ada.iter().zip(&for_policy).all(|(a, b)| a.id == b.id && a.digest == b.digest));
        let entries: Vec<_> = for_policy.iter().map(|it| it.board_entry).collect();
        let of_card = card.board_entry(site.kit.keys().credential());
        assert_eq!(entries, [of_card, None, None], "a board alone knows cards, and nothing else");
        assert!(of_card.is_some());
    }
}

#[tokio::test]
async fn nobody_has_a_card_twice_and_one_pin_of_each_use() {
    for site in sites(MIGRATIONS).await {
        let mut tx = site.kit.begin().await.unwrap();
        let ada = person::add(&mut tx, None, &Particulars::named("ada", "Ada")).await.unwrap();
        let bob = person::add(&mut tx, None, &Particulars::named("bob", "Bob")).await.unwrap();
        let card = Secret::Card(Card::wiegand26(12, 3456));
        credential::add(&mut tx, None, ada, &card, &Terms::ordinary("main")).await.unwrap();
        credential::add(&mut tx, None, ada, &pin("1234"), &Terms::ordinary("")).await.unwrap();
        credential::add(&mut tx, None, bob, &pin("1234"), &Terms::ordinary("")).await.unwrap();
        tx.commit().await.unwrap();
        let duress = Terms { usage: CredentialUse::Duress, ..Terms::ordinary("") };
        let refused = [
            (bob, &card, Terms::ordinary("main")),
            (ada, &pin("9999"), Terms::ordinary("other")),
            (ada, &pin("1234"), duress.clone()),
        ];
        for (person, secret, terms) in refused {
            let mut tx = site.kit.begin().await.unwrap();
            let error = credential::add(&mut tx, None, person, secret, &terms).await.unwrap_err();
            assert!(matches!(error, PeopleError::Taken(_)), "{error}");
        }
        let mut tx = site.kit.begin().await.unwrap();
        credential::add(&mut tx, None, ada, &pin("4321"), &duress).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_lost_card_is_marked_stays_known_and_is_taken_away() {
    for site in sites(MIGRATIONS).await {
        let mut tx = site.kit.begin().await.unwrap();
        let ada = person::add(&mut tx, None, &Particulars::named("ada", "Ada")).await.unwrap();
        let old = Secret::Card(Card::wiegand26(12, 3456));
        let id = credential::add(&mut tx, None, ada, &old, &Terms::ordinary("main")).await.unwrap();
        credential::set_status(&mut tx, None, id, CredentialStatus::Lost).await.unwrap();
        let lost = credential::by_key(&mut tx, ada, CredentialKind::Card, "main").await.unwrap().unwrap();
        assert_eq!(lost.terms.status, CredentialStatus::Lost);
        let new = Secret::Card(Card::wiegand26(12, 3457));
        // In its place, the site would forget which card it was that got lost.
        let refused = credential::reissue(&mut tx, None, &lost, &new, &Terms::ordinary("main")).await;
        assert_eq!(refused.unwrap_err().field(), Some("key"));
        credential::add(&mut tx, None, ada, &new, &Terms::ordinary("second")).await.unwrap();
        tx.commit().await.unwrap();
        let now = credential::of_person(&site.kit, ada).await.unwrap();
        let status: Vec<_> = now.iter().map(|it| (it.terms.key.as_str(), it.terms.status)).collect();
        assert_eq!(status, [("main", CredentialStatus::Lost), ("second", CredentialStatus::Active)]);
        let mut tx = site.kit.begin().await.unwrap();
        credential::remove(&mut tx, None, id).await.unwrap();
        assert!(matches!(
            credential::remove(&mut tx, None, id).await,
            Err(PeopleError::Unknown("credential"))
        ));
    }
}
