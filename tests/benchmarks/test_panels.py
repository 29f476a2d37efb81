from benchmarks import panels


def test_each_panel_moves_at_every_turn_and_a_row_says_whether_it_follows_the_slider():
    rows = list(panels.measure(repetitions=2))
    assert [row["panel"] for row in rows] == ["clipping toy, σ", "privacy budget, ε", "partition, α"]
    for row in rows:
        assert row["turns"] == 2 and row["seconds"] > 0
        assert row["within the goal"] == (row["seconds"] <= 0.1)


def test_a_move_goes_to_the_next_position():
    move = panels.moves()["clipping toy, σ"]
    assert [move().config.noise_multiplier for _ in range(3)] == [0, 0.1, 0.2]
