"""What setup.cfg cannot say: four folders of the repository are packages of data in a wheel.

dapu/shipped.py finds them, in a wheel and in a checkout.
"""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["dapu", "dapu.*"]),
        "dapu.sql",
        "dapu.starter",
        "dapu.generated",
        "dapu.converted",
    ],
    package_dir={
        "dapu.sql": "sql",
        "dapu.starter": "definitions/starter",
        "dapu.generated": "definitions/generated",
        "dapu.converted": "definitions/converted",
    },
    package_data={
        "dapu": ["py.typed"],
        "dapu.pages": ["templates/**/*", "static/*"],
        "dapu.sql": ["**/*.sql"],
        "dapu.starter": ["**/*", "**/.*"],
        "dapu.generated": ["**/*.j2"],
        "dapu.converted": ["**/*.sql"],
    },
)
