//! From the first code to the removal of the last factor.

use bailiwick_server::housekeeping;
use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;

use super::{
    ADA, STEP, begin, codes, confirm, equip, first_step, is_known_to_the_ledger, listed, mailed, pass, post, standing,
    wrong,
};
use crate::harness::app::TestApp;
use crate::harness::process::until;

#[tokio::test]
async fn a_factor_counts_from_its_first_code_and_ends_what_began_without_it() {
    let app = TestApp::start().await;
    let (ada, elsewhere) = (app.sign_in(ADA).await, app.sign_in(ADA).await);
    let nobody = json!({"authenticators": [], "passkeys": 0, "recovery_codes_left": 0, "demanded": false});
    assert_eq!(listed(&app, &ada).await, nobody);
    let no_codes = post(&app, &ada, "/auth/factors/recovery-codes", &Value::Null);
    assert_eq!(no_codes.await.status, 400, "a body where there is none");
    let none = app.call(Method::POST, "/auth/factors/recovery-codes").bearer(&ada.access_token).send().await;
    assert_eq!(none.problem(), (404, "not_found".into()), "codes are for who has a factor");

    // Begun and not confirmed it counts for nothing; begun anew, what was shown before is worthless.
    let (first, _) = begin(&app, &ada, "Telephone").await;
    let (id, otp) = begin(&app, &ada, "Telephone").await;
    assert_eq!(confirm(&app, &ada, &first, &otp.at(app.now())).await.problem(), (404, "not_found".into()));
    assert_eq!(confirm(&app, &ada, &id, &wrong(&app, &otp)).await.problem(), (403, "factor_failed".into()));
    assert_eq!(listed(&app, &ada).await, nobody);
    let still = app.sign_in(ADA).await;
    let strangers = app.sign_in("eve@example.com").await;
    assert_eq!(confirm(&app, &strangers, &id, &otp.at(app.now())).await.problem(), (404, "not_found".into()));

    let confirmed = confirm(&app, &ada, &id, &otp.at(app.now())).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    let recovery = codes(&confirmed);
    assert_eq!(recovery.len(), 10);
    for old in [&ada, &elsewhere, &still] {
        assert_eq!(standing(&app, old).await, "session_ended", "it began when the mail was enough");
    }
    let new = confirmed.json()["session"]["access_token"].as_str().unwrap().to_owned();
    let ada = crate::harness::app::Person { access_token: new, ..ada };
    assert_eq!(standing(&app, &ada).await, "in");
    let now = listed(&app, &ada).await;
    assert_eq!((&now["recovery_codes_left"], &now["authenticators"][0]["name"]), (&json!(10), &json!("Telephone")));
    assert_eq!(confirm(&app, &ada, &id, &otp.at(app.now())).await.problem().0, 404, "once");
    assert_eq!(mailed(&app, ADA, "second factor was added", 1).await, 1);

    // What lies in the database opens nothing, and names no secret.
    let stands: String = sqlx::query_scalar(
        "SELECT (SELECT string_agg(a::text, ' ') FROM authenticators a) || (SELECT string_agg(h::text, ' ') FROM factor_holders h)",
    )
    .fetch_one(&app.database.owner)
    .await
    .unwrap();
    assert!(recovery.iter().all(|code| !stands.contains(code.as_str()) && !stands.contains(&code.replace('-', ""))));

    // Names are the person's own, and each is one.
    let twice = post(&app, &ada, "/auth/factors/authenticators", &json!({"name": "Telephone"})).await;
    assert_eq!(twice.problem(), (409, "name_taken".into()));
    let (other, spare) = begin(&app, &ada, "Tablet").await;
    let confirmed = confirm(&app, &ada, &other, &spare.at(app.now())).await.json();
    assert_eq!(
        (&confirmed["recovery_codes"], &confirmed["session"]),
        (&Value::Null, &Value::Null),
        "only with the first"
    );

    // What nobody has confirmed goes after an hour.
    let unconfirmed = async || {
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM authenticators WHERE confirmed_at IS NULL");
        count.fetch_one(&app.database.owner).await.unwrap()
    };
    for (minutes, stay) in [(59, 1), (61, 0)] {
        housekeeping::expire_replays(&app.db, app.now() + Duration::minutes(minutes)).await.unwrap();
        assert_eq!(unconfirmed().await, stay, "after {minutes} minutes");
    }

    // Either signs in. What is done to factors takes a fresh session.
    app.advance(STEP);
    let token = first_step(&app, ADA).await;
    assert_eq!(pass(&app, &token, &spare.at(app.now())).await.status, 200);
    app.advance(Duration::minutes(11));
    let ada = pass(&app, &first_step(&app, ADA).await, &otp.at(app.now())).await.person();
    app.advance(Duration::minutes(4));
    assert_eq!(standing(&app, &ada).await, "in");
    app.advance(Duration::minutes(7));
    let refreshed = app.post("/auth/refresh", &json!({"refresh_token": ada.refresh_token})).send().await.person();
    let path = format!("/auth/factors/authenticators/{id}");
    for (method, path) in [(Method::DELETE, path.as_str()), (Method::POST, "/auth/factors/recovery-codes")] {
        let stale = app.call(method, path).bearer(&refreshed.access_token).send().await;
        assert_eq!(stale.problem(), (403, "step_up_required".into()), "{path}");
    }
    let stale = post(&app, &refreshed, "/auth/factors/authenticators", &json!({"name": "x"})).await;
    assert_eq!(stale.problem(), (403, "step_up_required".into()));

    // And when the last one is gone, the mail alone signs in again.
    let ada = pass(&app, &first_step(&app, ADA).await, &otp.at(app.now())).await.person();
    for id in [&id, &other] {
        let removed = app.delete(&format!("/auth/factors/authenticators/{id}")).bearer(&ada.access_token).send().await;
        assert_eq!(removed.status, 204, "{}", removed.text);
    }
    assert_eq!(mailed(&app, ADA, "second factor was removed", 2).await, 2);
    assert_eq!(listed(&app, &ada).await, nobody);
    app.sign_in(ADA).await;

    let actions = app.actions(None).await;
    let count = |action: &str| actions.iter().filter(|found| *found == action).count();
    assert_eq!((count("factor.enrolled"), count("factor.added"), count("factor.removed")), (3, 2, 2));
    is_known_to_the_ledger(&app).await;
}

#[tokio::test]
async fn whoever_shows_a_factor_again_gets_another_session_that_ends_when_the_first_would_have() {
    let app = TestApp::start().await;
    let (ada, workspace) = app.founder(ADA, "acme").await;
    let ada = equip(&app, &ada).await;
    let sessions = async |token: &str| app.get("/auth/sessions").bearer(token).send().await.json()["data"][0].clone();
    let before = sessions(&ada.person.access_token).await;
    assert_eq!((&before["strong"], &before["signed_in_by"]), (&json!(true), &json!("mail_and_totp")));
    app.advance(Duration::minutes(11));
    let refresh = json!({"refresh_token": ada.person.refresh_token});
    let stale = app.post("/auth/refresh", &refresh).send().await.person();
    let secret = json!({"name": "db", "kind": "generic", "value": "x"});
    let path = format!("/v1/workspaces/{workspace}/secrets");
    let secret = post(&app, &stale, &path, &secret).await;
    assert_eq!(secret.status, 201, "{}", secret.text);
    let reveal = format!("{path}/{}/reveal", secret.text_of("id"));
    assert_eq!(post(&app, &stale, &reveal, &json!({})).await.problem(), (403, "step_up_required".into()));

    for bad in [json!({}), json!({"code": "123456", "recovery_code": "x"})] {
        assert_eq!(post(&app, &stale, "/auth/step-up", &bad).await.problem(), (422, "invalid_body".into()));
    }
    let bad = post(&app, &stale, "/auth/step-up", &json!({"code": wrong(&app, &ada.otp)})).await;
    assert_eq!(bad.problem(), (403, "factor_failed".into()));
    let code = json!({"code": ada.otp.at(app.now())});
    let stepped = post(&app, &stale, "/auth/step-up", &code).await;
    assert_eq!(stepped.status, 200, "{}", stepped.text);
    assert!(stepped.cookies().contains("bw_access=") && stepped.cookies().contains("bw_refresh="));
    let stepped = stepped.person();
    assert_eq!(standing(&app, &stale).await, "session_ended");
    let old = app.post("/auth/refresh", &json!({"refresh_token": stale.refresh_token})).send().await;
    assert_eq!(old.problem(), (401, "refresh_token_invalid".into()), "and nothing of it comes back");
    assert_eq!(post(&app, &stepped, "/auth/step-up", &code).await.problem().0, 403, "a code counts once");
    assert_eq!(post(&app, &stepped, &reveal, &json!({})).await.status, 200);
    let after = sessions(&stepped.access_token).await;
    assert_ne!(before["id"], after["id"]);
    assert_eq!(before["expires_at"], after["expires_at"], "it lives no longer for it");
    let by_paper = post(&app, &stepped, "/auth/step-up", &json!({"recovery_code": ada.codes[0]})).await;
    assert_eq!(sessions(&by_paper.text_of("access_token")).await["signed_in_by"], "mail_and_recovery_code");
    mailed(&app, ADA, "recovery code of yours was used", 1).await;
    assert!(app.actions(None).await.iter().filter(|action| *action == "session.stepped_up").count() == 2);
    is_known_to_the_ledger(&app).await;
}

/// A sign-in by mail that is on its way when the first factor is added comes before, and its session ends, or after, and owes one.
#[tokio::test]
async fn no_sign_in_by_the_mail_alone_that_races_the_first_factor_lets_anybody_in() {
    let app = TestApp::start().await;
    for round in 0..6 {
        let address = format!("ada{round}@example.com");
        let ada = app.sign_in(&address).await;
        let mails = async || app.mails(0).await.into_iter().filter(|mail| mail.to == address).collect::<Vec<_>>();
        let used = mails().await.into_iter().find_map(|mail| mail.code).unwrap();
        let asked = app.post("/auth/request", &json!({"email": address})).send().await.text_of("challenge");
        until(async || mails().await.len() > 1).await;
        let code = mails().await.into_iter().filter_map(|mail| mail.code).find(|code| *code != used).unwrap();
        let (id, otp) = begin(&app, &ada, "Telephone").await;
        let (shown, typed) = (otp.at(app.now()), json!({"challenge": asked, "code": code}));
        let (confirmed, entered) =
            tokio::join!(confirm(&app, &ada, &id, &shown), app.post("/auth/verify", &typed).send());
        assert_eq!(confirmed.status, 200, "{}", confirmed.text);
        if entered.status != 200 {
            assert_eq!(entered.problem(), (403, "factor_required".into()));
            continue;
        }
        let weak = entered.person();
        assert_eq!(standing(&app, &weak).await, "session_ended");
        let refreshed = app.post("/auth/refresh", &json!({"refresh_token": weak.refresh_token})).send().await;
        assert_eq!(refreshed.problem(), (401, "refresh_token_invalid".into()));
    }
}
