//! Who guesses: a stranger counts nothing, who reads the mail gets few tries, and the owner gets in all the same.

use serde_json::json;
use time::Duration;

use super::{ADA, equip, first_step, mailed, pass, post, recover, wrong};
use crate::harness::app::TestApp;

#[tokio::test]
async fn wrong_codes_are_counted_for_the_person_and_lock_no_owner_out() {
    let app = TestApp::start().await;
    let ada = equip(&app, &app.sign_in(ADA).await).await;
    let failed = (403, "factor_failed".to_owned());
    let bad = wrong(&app, &ada.otp);

    // A stranger knows the address, and has no second step to guess at.
    let asked = app.post("/auth/request", &json!({"email": ADA})).send().await.text_of("challenge");
    for _ in 0..6 {
        let tried = json!({"challenge": asked, "code": "0000-0000"});
        assert_eq!(app.post("/auth/verify", &tried).send().await.problem(), (401, "sign_in_failed".into()));
        assert_eq!(pass(&app, "AAAA", &bad).await.problem(), failed);
    }
    app.advance(Duration::seconds(60));
    assert_eq!(pass(&app, &first_step(&app, ADA).await, &ada.otp.at(app.now())).await.status, 200);

    // Who reads the mail has four tries in one second step, and one in another: they are counted together.
    let token = first_step(&app, ADA).await;
    for _ in 0..4 {
        assert_eq!(pass(&app, &token, &bad).await.problem(), failed);
    }
    let other = first_step(&app, ADA).await;
    assert_eq!(pass(&app, &other, &bad).await.problem(), failed);
    app.advance(Duration::seconds(30));
    let good = pass(&app, &other, &ada.otp.at(app.now())).await;
    assert_eq!(good.problem(), (429, "rate_limited".into()), "the fifth in a row has the next wait");
    let wait: i64 = good.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(mailed(&app, ADA, "types wrong codes", 1).await, 1);
    // Also where she is signed in already: it is one count. What she has on paper does not wait, and ends it.
    let stepped = post(&app, &ada.person, "/auth/step-up", &json!({"code": ada.otp.at(app.now())})).await;
    assert_eq!(stepped.problem(), (429, "rate_limited".into()));
    app.advance(Duration::seconds(wait));
    assert_eq!(pass(&app, &other, &bad).await.problem(), failed);
    app.advance(Duration::seconds(61));
    assert_eq!(pass(&app, &other, &ada.otp.at(app.now())).await.problem().0, 429, "and then for twice as long");
    assert_eq!(recover(&app, &first_step(&app, ADA).await, &ada.codes[0]).await.status, 200);
    app.advance(Duration::seconds(30));
    assert_eq!(pass(&app, &first_step(&app, ADA).await, &ada.otp.at(app.now())).await.status, 200);

    // Five tries in one second step, of whatever kind, and it is over.
    let token = first_step(&app, ADA).await;
    for _ in 0..5 {
        assert_eq!(recover(&app, &token, "0000-0000-0000-0000").await.problem(), failed);
    }
    assert_eq!(recover(&app, &token, &ada.codes[1]).await.problem(), failed);
    app.advance(Duration::seconds(30));
    let good = pass(&app, &first_step(&app, ADA).await, &ada.otp.at(app.now())).await;
    assert_eq!(good.status, 200, "what no authenticator shows makes none wait: {}", good.text);
    let failures = app.actions(None).await.iter().filter(|action| *action == "factor.failed").count();
    assert_eq!(failures, 11, "each leaves an entry");
}
