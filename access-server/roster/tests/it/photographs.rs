//! Photographs by the folder, with a stand-in for the vision process.

use people::consent::{self, Purpose};
use people::testing::{Vision, photo, photo_of};
use people::{face, person};
use roster::album::{self, AlbumError, Collected, Photo, State, Step};
use serde_json::json;

use crate::site::{Clerk, clerks};

fn folder() -> Vec<Photo> {
    let faceless = photo_of(&json!({ "outcome": "refused", "reason": "no-face" }));
    [
        ("a/0012.jpg", photo(&[1.0])),
        ("a/0013_欧明哲.jpg", photo(&[1.0, 0.01])),
        ("a/王伟.jpg", faceless),
        ("a/9999.jpg", photo(&[0.0, 1.0])),
    ]
    .map(|(file, bytes)| Photo { file: file.to_owned(), bytes })
    .into()
}

/// Looks at all that waits.
async fn look(clerk: &Clerk, vision: &Vision) {
    while album::advance(&clerk.kit, Some(&vision.service)).await.unwrap() == Step::Looked {}
}

#[tokio::test]
async fn photographs_are_looked_at_one_by_one_and_with_consent_alone() {
    let vision = Vision::start().await;
    for clerk in clerks().await {
        let (kit, by) = (&clerk.kit, clerk.by);
        clerk.imports("工号,姓名\n0012,林晓雨\n0013,欧明哲\n0014,王伟\n").await;
        let id = album::put(kit, by, folder()).await.unwrap();
        assert_eq!(album::draft(kit, by, &id).unwrap().counts(), (3, 0));
        let refused = album::confirm(kit, by, &id, None).await;
        assert!(matches!(refused, Err(AlbumError::Nothing)), "without consent none is looked at");
        let ahead = Collected { text_version: "2026-1".into(), given_at: kit.now() + 1 };
        assert!(matches!(album::confirm(kit, by, &id, Some(&ahead)).await, Err(AlbumError::Consent)));

        let collected = Collected { given_at: kit.now() - 1, ..ahead };
        let number = album::confirm(kit, by, &id, Some(&collected)).await.unwrap();
        assert_eq!(album::advance(kit, None).await.unwrap(), Step::Away, "it waits for the vision process");
        look(&clerk, &vision).await;
        let done = album::get(kit, number).await.unwrap().unwrap();
        assert_eq!((done.state, done.photos, done.waiting, done.enrolled), (State::Done, 3, 0, 1));
        let looked = album::photos(kit, number, 10).await.unwrap();
        let codes: Vec<_> = looked.iter().map(|it| it.code.as_str()).collect();
        assert_eq!(codes, ["photo-of-somebody-else", "photo-no-face", ""]);
        assert_eq!(looked[0].other, Some(looked[2].person), "whom it looks like");
        assert_eq!(face::count(kit).await.unwrap(), 1);
        let kept: (i64,) =
            sqlx::query_as("SELECT CAST(COALESCE(SUM(LENGTH(sealed)), 0) AS BIGINT) FROM roster_photo")
                .fetch_one(kit.read())
                .await
                .unwrap();
        assert_eq!(kept.0, 0, "no photograph stays where it was stored");

        // Who has withdrawn since is not enrolled by an older signature.
        let lin = person::by_key(&mut kit.read().acquire().await.unwrap(), "0012").await.unwrap().unwrap().id;
        consent::withdraw(kit, None, lin, Purpose::FaceAccess).await.unwrap();
        let id = album::put(kit, by, folder()).await.unwrap();
        let number = album::confirm(kit, by, &id, Some(&collected)).await.unwrap();
        look(&clerk, &vision).await;
        let looked = album::photos(kit, number, 10).await.unwrap();
        let of_lin = looked.iter().find(|it| it.person == lin).unwrap();
        assert_eq!(of_lin.code, "no-consent");
    }
}

#[tokio::test]
async fn an_album_that_is_stopped_keeps_no_photograph() {
    for clerk in clerks().await {
        let (kit, by) = (&clerk.kit, clerk.by);
        clerk.imports("工号,姓名\n0012,林晓雨\n").await;
        let id = album::put(kit, by, folder()).await.unwrap();
        let collected = Collected { text_version: "2026-1".into(), given_at: kit.now() };
        let number = album::confirm(kit, by, &id, Some(&collected)).await.unwrap();
        assert!(album::cancel(kit, by, number).await.unwrap());
        assert_eq!(album::advance(kit, None).await.unwrap(), Step::Nothing);
        let stopped = album::get(kit, number).await.unwrap().unwrap();
        assert_eq!((stopped.state, stopped.waiting), (State::Cancelled, 0));
    }
}
