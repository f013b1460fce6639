"""Everything registered, the built-ins and any plugin that is installed, keeps every promise."""

import astrokin as ak


@ak.testing.parametrize_effects()
def test_effects_keep_their_promises(effect, check):
    check(effect)


@ak.testing.parametrize_estimators()
def test_estimators_keep_their_promises(estimator, check):
    check(estimator)
