"""Statistics on plain arrays. Public."""

from lockgate.statistics.metrics import METRICS, accuracy, brier, log_loss, mae, rmse, roc_auc
from lockgate.statistics.pairs import Ratio, ratio

__all__ = ["METRICS", "Ratio", "accuracy", "brier", "log_loss", "mae", "ratio", "rmse", "roc_auc"]
