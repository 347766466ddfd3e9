"""How does a comparison read, for people and in MLflow?"""

from collections.abc import Mapping
from typing import Any

FIGURES = (("AUC", "auc"), ("log loss", "logLoss"))


def comparison_metrics(judged: Mapping[str, Any]) -> dict[str, float]:
    metrics: dict[str, float] = {
        "comparison_rows": judged["rows"],
        "comparison_churned": judged["churned"],
    }
    for name, key in (("auc", "auc"), ("log_loss", "logLoss")):
        for part, value in judged.get(key, {}).items():
            metrics[f"comparison_{name}_{part}"] = value
    return metrics


def comparison_tag(report: Mapping[str, Any]) -> dict[str, Any]:
    """What the trial needs, and what is asked for most."""
    judged = report["judged"]
    return {
        "verdict": judged["verdict"],
        "champion": report["champion"],
        "window": judged.get("window"),
        "rows": judged["rows"],
        "players": judged["players"],
        "auc": rounded(judged.get("auc")),
        "logLoss": rounded(judged.get("logLoss")),
    }


def rounded(figures: Mapping[str, float] | None) -> dict[str, float] | None:
    return None if figures is None else {name: round(value, 6) for name, value in figures.items()}


def sentence(report: Mapping[str, Any]) -> str:
    judged = report["judged"]
    of = f"version {report['candidate']} against champion {report['champion']}"
    on = f"{judged['rows']} rows of {judged['players']} players"
    if "auc" not in judged:
        return f"{of}: {judged['verdict']}, {on}"
    figures = ", ".join(
        f"{name} {judged[key]['candidate']:.4f} against {judged[key]['champion']:.4f}"
        for name, key in FIGURES
    )
    return f"{of}: {judged['verdict']}, {figures} on {on}, {judged['window']}"


def comparison_page(report: Mapping[str, Any]) -> str:
    """Markdown."""
    request, judged, prepared = report["request"], report["judged"], report["set"]
    lines = [
        f"# Version {report['candidate']} of {request['model']}: {judged['verdict']}",
        "",
        f"Asked for by {request['requestedBy']}, {request['reason']}, as of "
        f"{request['requestedAt']}.",
        "",
        f"- learned from {prepared['trainWindow']}: {prepared['usable']} labels in all, "
        f"{prepared['churned']} churned",
        f"- judged on {judged.get('window', 'nothing')}: {judged['rows']} rows of "
        f"{judged['players']} players, {judged['churned']} churned, {judged['unscored']} left out; "
        "neither version has learned from these days",
        "",
    ]
    if "auc" in judged:
        percent = f"{judged['rule']['confidence']:.0%}"
        lines += [
            f"| figure | champion {report['champion']} | candidate {report['candidate']} "
            f"| difference | {percent} interval | p |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        for name, key in FIGURES:
            one = judged[key]
            lines.append(
                f"| {name} | {one['champion']:.4f} | {one['candidate']:.4f} "
                f"| {one['difference']:+.4f} | {one['low']:+.4f} to {one['high']:+.4f} "
                f"| {one['p']:.2g} |"
            )
        lines += [
            "",
            "AUC: DeLong's test, summed by player. Log loss: bootstrap of players, seed "
            f"{judged['rule']['seed']}, {judged['rule']['draws']} draws. Better is who is "
            "certainly better by one figure and not certainly worse by the other by more than "
            f"{judged['rule']['auc_margin']} (AUC) or {judged['rule']['log_loss_margin']} (log "
            "loss).",
            "",
        ]
    return "\n".join(lines)
