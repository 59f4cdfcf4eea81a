"""A job dashboard of law that reports to a lamia-gql server."""

from __future__ import annotations

from lamia_law.job_dashboard import LamiaJobDashboard

__all__ = ["LamiaJobDashboard"]
