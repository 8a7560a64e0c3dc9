"""Statistics on plain arrays. Public."""

from lockgate.statistics.metrics import METRICS, accuracy, brier, log_loss, mae, rmse, roc_auc

__all__ = ["METRICS", "accuracy", "brier", "log_loss", "mae", "rmse", "roc_auc"]
