"""Forecasts: how many events the coming days will bring, and how right earlier forecasts were."""
