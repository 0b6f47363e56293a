//! Who may change whom, that somebody stays who may, and sessions ended one by one.

use std::time::Duration;

use kit::auth::sessions::{self, SessionId};
use kit::auth::{self, Desk, OperatorError, OperatorId, Role, Scope, token};
use kit::testing::{operator, sites};
use kit::{Keys, Kit};

const FIRST: &str = "a first password";

async fn add(kit: &Kit, name: &str, role: Role) -> OperatorId {
    auth::add(kit, None, name, role, FIRST).await.unwrap()
}

/// The cookie's value of a session begun at this desk.
async fn begin(kit: &Kit, name: &str, desk: Desk<'_>) -> String {
    let session = auth::sign_in(kit, name, FIRST, desk).await.unwrap().whole().unwrap();
    session.set_cookie.split(';').next().unwrap().split_once('=').unwrap().1.to_owned()
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    for site in sites(&[]).await {
        let kit = &site.kit;
        let (ada, bob) = (add(kit, "ada", Role::Administrator).await, add(kit, "bob", Role::Manager).await);
        // A program has the rank of its scopes, and keeps nobody's place.
        let mut tx = kit.begin().await.unwrap();
        let end = tx.now() + 1_000_000;
        let (program, _) = token::make(&mut tx, ada, "importer", &[Scope::WriteSite], end).await.unwrap();
        tx.commit().await.unwrap();

        let refused = auth::set_role(kit, ada, ada, Role::Manager).await;
        assert!(matches!(refused, Err(OperatorError::LastAdministrator)), "{refused:?}");
        let refused = auth::set_disabled(kit, ada, ada, true).await;
        assert!(matches!(refused, Err(OperatorError::LastAdministrator)), "{refused:?}");
        auth::set_role(kit, ada, ada, Role::Administrator).await.unwrap();

        auth::set_role(kit, ada, bob, Role::Administrator).await.unwrap();
        auth::set_disabled(kit, ada, bob, true).await.unwrap();
        let refused = auth::set_role(kit, ada, ada, Role::Viewer).await;
        assert!(
            matches!(refused, Err(OperatorError::LastAdministrator)),
            "who is shut out is none: {refused:?}"
        );
        auth::set_disabled(kit, ada, bob, false).await.unwrap();
        auth::set_role(kit, bob, ada, Role::Viewer).await.unwrap();

        for refused in [
            auth::set_disabled(kit, bob, program, false).await,
            auth::set_role(kit, bob, program, Role::Viewer).await,
            auth::set_role(kit, bob, OperatorId(404), Role::Viewer).await,
        ] {
            assert!(
                matches!(refused, Err(OperatorError::Unknown)),
                "a program is no operator here: {refused:?}"
            );
        }
    }
}

/// Two who lower one another at the same moment, in two processes.
#[tokio::test]
async fn two_administrators_do_not_lower_one_another() {
    for site in sites(&[]).await {
        let kit = &site.kit;
        let db = kit::Db::open(&site.database.address).await.unwrap();
        let other = Kit::new(db, site.clock.clone(), Keys::ephemeral(), None).unwrap();
        for round in 0..8 {
            let (ada, bob) = match round {
                0 => (add(kit, "ada", Role::Administrator).await, add(kit, "bob", Role::Administrator).await),
                _ => {
                    let all = auth::list(kit).await.unwrap();
                    let stays = all.iter().find(|row| row.ranks == Role::Administrator.into()).unwrap().id;
                    for row in &all {
                        auth::set_role(kit, stays, row.id, Role::Administrator).await.unwrap();
                    }
                    (all[0].id, all[1].id)
                }
            };
            let done = tokio::join!(
                auth::set_role(kit, ada, bob, Role::Viewer),
                auth::set_role(&other, bob, ada, Role::Viewer)
            );
            assert!(done.0.is_ok() != done.1.is_ok(), "{done:?}");
        }
    }
}

#[tokio::test]
async fn nobody_changes_somebody_above_or_raises_anybody_above_the_own_rank() {
    for site in sites(&[]).await {
        let kit = &site.kit;
        let (ada, eve) = (add(kit, "ada", Role::Administrator).await, add(kit, "eve", Role::Manager).await);
        let vic = add(kit, "vic", Role::Viewer).await;
        for refused in [
            auth::set_role(kit, eve, vic, Role::Administrator).await,
            auth::set_role(kit, eve, eve, Role::Administrator).await,
            auth::set_role(kit, eve, ada, Role::Viewer).await,
            auth::set_disabled(kit, eve, ada, true).await,
            auth::reset_password(kit, Some(eve), "ada", "another first one").await,
            auth::add(kit, Some(eve), "mallory", Role::Administrator, FIRST).await.map(drop),
            sessions::end_all_but(kit, eve, ada, None).await.map(drop),
        ] {
            assert!(matches!(refused, Err(OperatorError::Rank)), "{refused:?}");
        }
        auth::set_role(kit, eve, vic, Role::Manager).await.unwrap();
        auth::set_disabled(kit, ada, eve, true).await.unwrap();
        let refused = auth::set_role(kit, eve, vic, Role::Viewer).await;
        assert!(matches!(refused, Err(OperatorError::Rank)), "who is shut out changes nobody: {refused:?}");
        let names: Vec<_> = auth::list(kit).await.unwrap().into_iter().map(|row| row.name).collect();
        assert_eq!(names, ["ada", "eve", "vic"]);
    }
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one() {
    for site in sites(&[]).await {
        let kit = &site.kit;
        let (ada, vic) = (add(kit, "ada", Role::Administrator).await, add(kit, "vic", Role::Viewer).await);
        assert_eq!(auth::list(kit).await.unwrap()[1].signed_in_at, None);
        let agent = "x".repeat(1000);
        let first = begin(kit, "vic", Desk { address: "2001:db8::1", agent: "Firefox/140" }).await;
        site.clock.advance(Duration::from_secs(60));
        let second = begin(kit, "vic", Desk { address: "10.0.0.1", agent: &agent }).await;
        let adas = begin(kit, "ada", Desk::from("here")).await;
        assert_eq!(auth::list(kit).await.unwrap()[1].signed_in_at, Some(kit.now()));

        let listed = sessions::of(kit, vic).await.unwrap();
        let ids: Vec<_> = listed.iter().map(|row| row.id.clone()).collect();
        assert_eq!(ids, [SessionId::of(&second), SessionId::of(&first)]);
        assert_eq!((&*listed[1].address, &*listed[1].agent), ("2001:db8:0:0::/64", "Firefox/140"));
        assert_eq!(listed[0].agent.len(), 256);
        assert!(listed.iter().all(|row| row.id.hex() != first && row.id.hex() != second), "it opens nothing");

        let live = async |session: &str| {
            let id = SessionId::of(session);
            sessions::of(kit, vic).await.unwrap().iter().any(|row| row.id == id)
        };
        let refused = sessions::end(kit, vic, vic, &SessionId::of(&adas)).await;
        assert!(matches!(refused, Err(OperatorError::Unknown)), "another's is nothing to them: {refused:?}");
        assert_eq!(sessions::of(kit, ada).await.unwrap().len(), 1);
        let refused = sessions::end(kit, vic, ada, &SessionId::of(&adas)).await;
        assert!(matches!(refused, Err(OperatorError::Rank)), "{refused:?}");
        sessions::end(kit, vic, vic, &SessionId::parse(&ids[1].hex()).unwrap()).await.unwrap();
        assert_eq!((live(&first).await, live(&second).await), (false, true));
        let third = begin(kit, "vic", Desk::from("here")).await;
        let ended = sessions::end_all_but(kit, vic, vic, Some(&SessionId::of(&second))).await.unwrap();
        assert_eq!((ended, live(&second).await, live(&third).await), (1, true, false));
        assert_eq!(sessions::end_all_but(kit, ada, vic, None).await.unwrap(), 1);
        assert!(!live(&second).await);
        site.clock.advance(auth::IDLE);
        assert!(
            sessions::of(kit, ada).await.unwrap().is_empty(),
            "those that ended by themselves are not listed"
        );
    }
}

/// An open page outlives its request: it is told of another role.
#[tokio::test]
async fn a_page_with_another_role_is_not_live() {
    for site in sites(&[]).await {
        let kit = &site.kit;
        let ada = add(kit, "ada", Role::Administrator).await;
        let eve = operator(kit, Role::Manager).await;
        assert!(auth::is_live(kit, eve.session(), &Role::Manager.into()).await.unwrap());
        auth::set_role(kit, ada, eve.id, Role::Viewer).await.unwrap();
        assert!(!auth::is_live(kit, eve.session(), &Role::Manager.into()).await.unwrap());
    }
}
