import pytest
pytestmark = pytest.mark.usefixtures("results")
def test_smoke(corpus, rows):
    from trustlab.course.n11_dp_sgd_vs_edp_sgd import results as r, price_pictures as p, panel, claims
    from trustlab.lab.claims import claims as show
    print(r.seconds_and_accuracy("assistant", 8.0))
    print(r.seconds_and_accuracy("snips", 8.0))
    for f in (p.the_loop_as_the_batch_grows(), p.scores(8.0), p.what_tuning_found(8.0), p.what_tuning_found(8.0,"batch_size"), p.two_ingredients(), p.who_pays("assistant")):
        print(f.verdict, f.provenance)
    pan=panel.budget_panel(corpus,"assistant")
    print(pan.answer.verdict, pan.answer.provenance)
    for w in ("sgd","loop","passes","opacus","groups"): print(pan.set(way=w).answer.verdict)
    print(pan.drawing.shown())
    open('/tmp/n11/panel.png','wb').write(pan.picture) if isinstance(pan.picture,bytes) else None
    from trustlab.lab.figures import png
    open('/tmp/n11/panel.png','wb').write(png(pan.drawing.figure))
    print(r.strongest_baseline("assistant","accuracy"))
