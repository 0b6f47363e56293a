//! The pages of webhooks: made, its secret shown once, changed, held up, tested, ended; what is refused keeps what was typed.

use axum::http::StatusCode;
use kit::auth::Role;

use crate::browser::{Browser, sites};

const PATH: &str = "/settings/webhooks";

#[tokio::test]
async fn a_webhook_is_made_and_looked_after() {
    for site in sites().await {
        let administrator = Browser::signed_in(&site.kit, "ada", Role::Administrator).await;
        assert!(administrator.get(PATH).await.page.contains("There are no webhooks yet."));

        let typed = "name=payroll&address=http://hooks.example.cn/in&topic=alarms";
        let refused = administrator.post(PATH, typed).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.page.contains("The address must begin with https://."));
        assert!(
            refused.page.contains("value=\"http://hooks.example.cn/in\"")
                && refused.page.contains("value=\"payroll\"")
        );
        assert!(refused.page.contains("value=\"alarms\" checked"), "what was chosen stays");
        assert!(
            administrator
                .post(PATH, "name=payroll&address=https://h.example.cn")
                .await
                .page
                .contains("Choose one at least.")
        );

        let made = administrator
            .post(PATH, "name=payroll&address=https://hooks.example.cn/in&topic=alarms&topic=people")
            .await;
        let secret = made.page.split("value=\"whsec_").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!((made.status, secret.len()), (StatusCode::OK, 44));
        let page = administrator.get(PATH).await.page;
        assert!(
            page.contains("hooks.example.cn") && page.contains("in order") && !page.contains(secret),
            "it was shown once"
        );
        let one = format!("{PATH}/{}", webhooks::hooks(&site.kit).await.unwrap()[0].id.0);

        let changed =
            administrator.post(&one, "name=wages&address=https://hooks.example.cn/other&topic=doors").await;
        assert_eq!(
            (changed.status, changed.to.as_str()),
            (StatusCode::SEE_OTHER, &*format!("{one}?said=changed"))
        );
        let page = administrator.get(&changed.to).await.page;
        assert!(
            page.contains("Saved.")
                && page.contains("<h1>wages</h1>")
                && page.contains("value=\"doors\" checked")
        );
        let renewed = administrator.post(&format!("{one}/secret"), "").await.page;
        assert!(renewed.contains("value=\"whsec_") && !renewed.contains(secret));

        for (act, said) in [("test", "tested"), ("pause", "paused")] {
            let done = administrator.post(&format!("{one}/act"), &format!("act={act}")).await;
            assert_eq!(done.to, format!("{one}?said={said}"));
        }
        assert!(
            administrator.get(&one).await.page.contains("held up")
                && administrator.get(PATH).await.page.contains("held up")
        );
        administrator.post(&format!("{one}/act"), "act=missed").await;
        assert!(administrator.get(&one).await.page.contains("in order"));
        assert_eq!(
            administrator.post(&format!("{one}/act"), "act=open").await.status,
            StatusCode::BAD_REQUEST
        );

        let manager = Browser::signed_in(&site.kit, "eve", Role::Manager).await;
        assert_eq!(manager.get(PATH).await.status, StatusCode::FORBIDDEN);
        let gone = administrator.post(&format!("{one}/act"), "act=remove").await;
        assert_eq!((gone.status, gone.to.as_str()), (StatusCode::SEE_OTHER, PATH));
        assert_eq!(administrator.get(&one).await.status, StatusCode::NOT_FOUND);
        let told = administrator.get("/history").await.page;
        for words in ["made", "changed", "another secret", "a test", "held up", "goes on", "removed"] {
            assert!(told.contains(words), "{words}");
        }
    }
}
