//! The last good answer, with its age.

use std::time::Duration;

use seaworthy_core::policy::Outcome;
use seaworthy_core::policy::fallback::{Config, Metrics};
use seaworthy_layers::fallback::{Answer, Keep};
use tokio::time::advance;
use tower::{Layer, ServiceBuilder, ServiceExt};

use crate::dependency::{BREAKER, Broken, Dependency, Does, SECOND};

const CONFIG: Config =
    Config { stale_if_error: Duration::from_secs(60), most_values: 10, most_weight: 100 };

#[tokio::test(start_paused = true)]
async fn an_old_answer_has_its_age_and_ends_when_it_is_too_old() {
    let dependency = Dependency::new(Does::Answer);
    let layer = seaworthy_layers::fallback(|r: &u32| *r).config(CONFIG).build();
    let service = layer.layer(dependency.clone());
    assert_eq!(service.clone().oneshot(1).await.unwrap(), Answer::Fresh(1));
    dependency.now(Does::Fail);
    advance(SECOND * 40).await;
    let answer = service.clone().oneshot(1).await.unwrap();
    assert_eq!((answer.age(), answer.into_inner()), (Some(SECOND * 40), 1));
    let Broken = service.clone().oneshot(2).await.unwrap_err();
    advance(SECOND * 21).await;
    let Broken = service.clone().oneshot(1).await.unwrap_err();
    let expected = Metrics { stale: 1, oldest: SECOND * 40, unknown: 1, too_stale: 1 };
    assert_eq!(layer.handle().metrics(), expected);
}

#[tokio::test(start_paused = true)]
async fn it_helps_against_rejections_and_timeouts_alike() {
    let dependency = Dependency::new(Does::Answer);
    let fallback = seaworthy_layers::fallback(|_: &u32| "page").build();
    let guard = seaworthy_layers::guard().breaker(BREAKER).build().unwrap();
    let service =
        ServiceBuilder::new().layer(fallback.clone()).layer(guard).service(dependency.clone());
    service.clone().oneshot(1).await.unwrap();
    dependency.now(Does::Hang);
    for second in 1..=4 {
        let answer = service.clone().oneshot(1).await.unwrap();
        assert_eq!(answer.age(), Some(SECOND * second));
    }
    let calls = dependency.calls();
    let answer = service.clone().oneshot(1).await.unwrap();
    assert_eq!(answer.age(), Some(SECOND * 4), "at once: the breaker is open");
    assert_eq!(dependency.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn the_user_says_what_is_an_answer_and_what_is_kept() {
    let answers = |_: &Result<u32, Broken>| Outcome::Success;
    let dependency = Dependency::new(Does::Answer);
    let all_good = seaworthy_layers::fallback(|_: &u32| ()).classify(answers).build();
    all_good.layer(dependency.clone()).oneshot(1).await.unwrap();
    dependency.now(Does::Fail);
    let Broken = all_good.layer(dependency.clone()).oneshot(1).await.unwrap_err();

    dependency.now(Does::Answer);
    let keep = |answer: &u32| {
        let fresh_for = SECOND * *answer;
        (*answer > 0).then_some(Keep { weight: 60, fresh_for })
    };
    let some = seaworthy_layers::fallback(|r: &u32| *r).config(CONFIG).keep(keep).build();
    for request in [0, 30, 40] {
        some.layer(dependency.clone()).oneshot(request).await.unwrap();
    }
    assert_eq!(some.handle().kept(), (1, 60), "two of them are too heavy");
    dependency.now(Does::Fail);
    advance(SECOND * 99).await;
    let answer = some.layer(dependency.clone()).oneshot(40).await.unwrap();
    assert_eq!(answer.age(), Some(SECOND * 99), "fresh for forty, good enough for sixty more");
}
