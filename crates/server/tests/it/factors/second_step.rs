//! What a sign-in by mail still owes, and that each code counts once.

use futures_util::future::{join, join_all};
use reqwest::Method;
use time::Duration;

use super::{ADA, STEP, codes, equip, first_step, is_known_to_the_ledger, listed, mailed, pass, recover, standing};
use crate::harness::app::TestApp;

#[tokio::test]
async fn a_code_counts_once_also_for_two_at_the_same_moment() {
    let app = TestApp::start().await;
    let node = app.another_node().await;
    let ada = equip(&app, &app.sign_in(ADA).await).await;
    let failed = (403, "factor_failed".to_owned());

    // The code that confirmed it is used up. One of a step before and one of a step after now are good, further ones not.
    let used = ada.otp.at(app.now());
    assert_eq!(pass(&app, &first_step(&app, ADA).await, &used).await.problem(), failed);
    app.advance(STEP * 5);
    for far in [-2, 2] {
        let token = first_step(&app, ADA).await;
        assert_eq!(pass(&app, &token, &ada.otp.at(app.now() + STEP * far)).await.problem(), failed, "{far}");
    }
    let token = first_step(&app, ADA).await;
    let late = ada.otp.at(app.now() - STEP);
    assert_eq!(pass(&app, &token, &late).await.status, 200, "a step late");
    assert_eq!(pass(&app, &token, &ada.otp.at(app.now())).await.problem(), failed, "the second step is over");
    assert_eq!(pass(&app, &first_step(&app, ADA).await, &late).await.problem(), failed, "replayed");
    assert_eq!(
        pass(&app, &first_step(&app, ADA).await, &ada.otp.at(app.now() + STEP)).await.status,
        200,
        "a step early"
    );
    let before = ada.otp.at(app.now());
    assert_eq!(
        pass(&app, &first_step(&app, ADA).await, &before).await.problem(),
        failed,
        "older than one that was used"
    );

    // Two who watched the same code, on two nodes: one gets in.
    for _ in 0..3 {
        app.advance(STEP * 4);
        node.advance(STEP * 4);
        let code = ada.otp.at(app.now());
        let (here, there) = (first_step(&app, ADA).await, first_step(&node, ADA).await);
        let (one, other) = join(pass(&app, &here, &code), pass(&node, &there, &code)).await;
        let mut both = [one.status.as_u16(), other.status.as_u16()];
        both.sort_unstable();
        assert_eq!(both, [200, 403]);
    }
    // One second step, shown by eight at once.
    app.advance(STEP * 4);
    let (token, code) = (first_step(&app, ADA).await, ada.otp.at(app.now()));
    let all = join_all((0..8).map(|_| pass(&app, &token, &code))).await;
    assert_eq!(all.iter().filter(|answer| answer.status == 200).count(), 1);

    // Its time is ten minutes, and what is unknown is answered alike.
    let token = first_step(&app, ADA).await;
    app.advance(Duration::minutes(10) + Duration::seconds(1));
    let over = pass(&app, &token, &ada.otp.at(app.now())).await;
    let unknown = pass(&app, "AAAA", &ada.otp.at(app.now())).await;
    assert_eq!((over.problem(), unknown.problem()), (failed.clone(), failed));
    assert_eq!(over.json()["detail"], unknown.json()["detail"]);
    is_known_to_the_ledger(&app).await;
}

#[tokio::test]
async fn a_recovery_code_signs_in_once_and_a_new_set_ends_the_old_one() {
    let app = TestApp::start().await;
    let ada = equip(&app, &app.sign_in(ADA).await).await;
    let failed = (403, "factor_failed".to_owned());

    // However it is typed, and by two at once for one of them.
    let typed = ada.codes[0].to_lowercase().replace('-', " ");
    let signed_in = recover(&app, &first_step(&app, ADA).await, &typed).await;
    assert_eq!(signed_in.status, 200, "{}", signed_in.text);
    let person = signed_in.person();
    assert_eq!(listed(&app, &person).await["recovery_codes_left"], 9);
    assert_eq!(recover(&app, &first_step(&app, ADA).await, &ada.codes[0]).await.problem(), failed, "used");
    let (one, other) = (first_step(&app, ADA).await, first_step(&app, ADA).await);
    let (one, other) = join(recover(&app, &one, &ada.codes[1]), recover(&app, &other, &ada.codes[1])).await;
    let mut both = [one.status.as_u16(), other.status.as_u16()];
    both.sort_unstable();
    assert_eq!(both, [200, 403]);
    assert_eq!(listed(&app, &person).await["recovery_codes_left"], 8);
    assert_eq!(mailed(&app, ADA, "recovery code of yours was used", 2).await, 2);

    // Another person's code, and a sign-in code's shape, are none of hers.
    let eve = equip(&app, &app.sign_in("eve@example.com").await).await;
    let token = first_step(&app, ADA).await;
    for code in [eve.codes[0].as_str(), "0000-0000-0000-0000", "", "K7MQ-2WXD"] {
        assert_eq!(recover(&app, &token, code).await.problem(), failed, "{code}");
    }
    // The page says when few are left.
    let page = async || {
        app.get("/account/factors").header("cookie", &person.cookies).header("accept", "text/html").send().await.text
    };
    assert!(page().await.contains("8 are left"));
    for code in &ada.codes[2..7] {
        assert_eq!(recover(&app, &first_step(&app, ADA).await, code).await.status, 200);
    }
    assert!(page().await.contains("You have 3 recovery codes left"));

    let renewed = app.call(Method::POST, "/auth/factors/recovery-codes").bearer(&person.access_token).send().await;
    assert_eq!(renewed.status, 201, "{}", renewed.text);
    let fresh = codes(&renewed);
    assert!(fresh.len() == 10 && fresh.iter().all(|code| !ada.codes.contains(code)));
    assert_eq!(recover(&app, &first_step(&app, ADA).await, &ada.codes[8]).await.problem(), failed, "of the old set");
    let last = recover(&app, &first_step(&app, ADA).await, &fresh[9]).await.person();
    assert_eq!(standing(&app, &last).await, "in");
    mailed(&app, ADA, "new recovery codes", 1).await;
    is_known_to_the_ledger(&app).await;
}
