from benchmarks import pages


def test_a_page_is_opened_and_each_of_its_sliders_moved(chromium):
    (row,) = pages.measure(names=["23-toy"])
    assert row["page"] == "23-toy" and row["moves"] == pages.WAYS * (4 + 4 + 3)
    assert row["first picture, ms"] > 0 and 0 < row["ms, p50"] <= row["ms, p95"]
