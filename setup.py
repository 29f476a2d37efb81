"""What pyproject.toml cannot say: which files beside code are installed, and an editable install is a plain path."""

from setuptools import find_namespace_packages, setup

# In a checkout the tables lie in data/results; an installed package finds them beside its code.
RESULTS = "trustlab.saved_results"
EXAMPLES = "trustlab.example_files"  # from data/examples

setup(
    packages=[*find_namespace_packages(include=["trustlab*"]), RESULTS, EXAMPLES],
    package_dir={RESULTS: "data/results", EXAMPLES: "data/examples"},
    package_data={
        RESULTS: ["*.csv", "*.json", "tuning/*.csv", "tuning/*.json"],
        EXAMPLES: ["*.csv"],
        "trustlab.data": ["registry.txt"],
        "trustlab.course.n00_start_here": ["models/*"],
        "trustlab.course.n32_prediction_sensitivity": ["models/*/*"],
        "trustlab.lab": ["*.css"],
        "trustlab.site": ["*.css"],
        "trustlab.app_pages": ["*.j2"],
        "": ["*.js", "*.toml"],  # of each notebook's room, and the literature's numbers
    },
    # "compat" puts the checkout on sys.path. By default an import hook is installed instead, which comes after the
    # path: above a checkout named trustlab, `import trustlab` would find that folder, and no module in it.
    options={"editable_wheel": {"mode": "compat"}},
)
