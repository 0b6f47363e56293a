//! The page of tokens: made, shown once, revoked; what is refused keeps what was chosen.

use axum::http::StatusCode;
use kit::auth::{Role, token};

use crate::browser::{Browser, sites};

#[tokio::test]
async fn a_token_is_made_shown_once_and_revoked() {
    for site in sites().await {
        let administrator = Browser::signed_in(&site.kit, "ada", Role::Administrator).await;
        assert!(administrator.get("/settings/tokens").await.page.contains("There are no tokens yet."));

        let fields = "name=two+words&scope=read:people&days=365";
        let refused = administrator.post("/settings/tokens", fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            refused.page.contains("value=\"two words\"") && refused.page.contains("aria-invalid=\"true\"")
        );
        assert!(refused.page.contains("value=\"read:people\" checked"), "what was chosen stays");
        assert!(refused.page.contains("value=\"365\" selected"));
        let refused = administrator.post("/settings/tokens", "name=payroll&days=30").await;
        assert!(refused.page.contains("Choose one scope at least."), "{}", refused.page);

        let fields = "name=payroll&scope=read:people&scope=read:events&days=30";
        let made = administrator.post("/settings/tokens", fields).await;
        let text = made.page.split("value=\"gatehouse_").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!((made.status, text.len()), (StatusCode::OK, 64));
        let page = administrator.get("/settings/tokens").await.page;
        assert!(
            page.contains("see events, see people") && page.contains("in force") && page.contains("never")
        );
        assert!(!page.contains(text), "it was shown once");

        let id = token::tokens(&site.kit).await.unwrap()[0].id.0;
        let gone = administrator.post(&format!("/settings/tokens/{id}/revoke"), "").await;
        assert_eq!((gone.status, &*gone.to), (StatusCode::SEE_OTHER, "/settings/tokens"));
        let page = administrator.get("/settings/tokens").await.page;
        assert!(page.contains("revoked") && !page.contains("/revoke\""));
        let told = administrator.get("/history").await.page;
        assert!(
            told.contains("API token token:payroll made") && told.contains("API token token:payroll revoked")
        );

        let manager = Browser::signed_in(&site.kit, "eve", Role::Manager).await;
        assert_eq!(manager.get("/settings/tokens").await.status, StatusCode::FORBIDDEN);
        assert!(!manager.get("/history").await.page.contains("/settings/tokens"));
    }
}
