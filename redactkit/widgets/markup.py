"""Text and style of the views: everything that comes from a file or a person is escaped here."""

from __future__ import annotations

import html
import re

from redactkit.runtime.timecode import parse_timecode, timecode

__all__ = ["STYLE", "escape", "face_name", "parse_timecode", "timecode"]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def escape(text: object) -> str:
    r"""Return ``text`` safe to stand in HTML and in a quoted attribute; control characters become visible.

    Examples
    --------
    >>> escape("<b>\x07")
    '&lt;b&gt;�'
    """
    return html.escape(_CONTROL.sub("\ufffd", str(text)), quote=True)


def face_name(face_id: int, label: object = "") -> str:
    """Return how views call a face, as plain text.

    Examples
    --------
    >>> face_name(3, "Ana")
    '0003 Ana'
    """
    return f"{face_id:04d} {label}" if label else f"{face_id:04d}"


STYLE = """<style>
.rk-view { color: var(--jp-ui-font-color1, #222); --rk-hide: #f03e3e; --rk-show: #2f9e44; --rk-now: #f59f00;
  --rk-line: var(--jp-border-color2, #ccc); --rk-ground: var(--jp-layout-color1, #fff);
  --rk-soft: var(--jp-layout-color2, #eee); --rk-text: var(--jp-ui-font-color1, #222);
  --rk-faint: var(--jp-ui-font-color2, #666); font-size: 12px; }
.rk-view, .rk-view .widget-box { overflow: visible; min-width: 0; }
.rk-view .widget-html-content { font-size: 12px; line-height: 16px; }
.rk-view .widget-inline-hbox .widget-label { min-width: 0; width: auto; font-size: 12px; }
.rk-view button:focus-visible, .rk-view input:focus-visible { outline: 2px solid var(--jp-brand-color1, #1976d2); }
.rk-view .rk-row { flex-flow: row wrap; align-items: center; gap: 3px 4px; padding: 2px 0; flex-shrink: 0; }
.rk-row > * { margin: 0; }
.rk-side .widget-inline-hbox { width: auto; max-width: 100%; } .rk-side .widget-inline-hbox select { min-width: 0; }
.rk-side .rk-show-as { margin: 0 0 2px; }
.rk-view .widget-checkbox label, .rk-view .widget-checkbox { align-items: center; display: flex; }
.rk-view .widget-checkbox input { margin: 0 5px 0 2px; }
.rk-view .widget-label-basic { padding: 0; }
.rk-gap { width: 8px; flex: 0 0 8px; }
.rk-view .rk-key { width: 28px; height: 26px; line-height: 26px; padding: 0; flex: 0 0 28px; font-size: 12px; }
.rk-view .rk-on { box-shadow: inset 0 -3px 0 var(--jp-brand-color1, #1976d2); }
.rk-message .widget-html-content { white-space: normal; color: var(--rk-text); padding: 2px 6px;
  border-left: 3px solid var(--rk-now); background: var(--rk-soft); height: auto; }
.rk-hint .widget-html-content { color: var(--rk-faint); font-size: 11px; line-height: 14px; white-space: normal; }
.rk-view.rk-workbench { height: var(--rk-height, 640px); display: flex; flex-direction: column; gap: 4px; }
.rk-room-head { flex: 0 0 auto; } .rk-room-head > * { flex: 1 1 0; min-width: 0; }
.rk-room-body { flex: 1 1 0; min-height: 0; display: grid; gap: 8px;
  grid-template-columns: minmax(0, 1fr) clamp(250px, 31%, 430px); }
.rk-view .rk-room-main { display: flex; flex-direction: column; min-height: 0; min-width: 0; overflow: hidden; }
.rk-room-main > .rk-viewer { flex: 1 1 0; min-height: 0; display: flex; flex-direction: column; overflow: hidden; }
.rk-room-main > .rk-viewer > .rk-front-place { flex: 1 1 0; min-height: 0; margin: 0; }
.rk-room-main > .rk-timeline { flex: 0 0 auto; }
.rk-own { transition: opacity .15s; } .rk-room-body:has(.rk-side:hover) .rk-own:not(:focus-within) { opacity: 0; }
.rk-side .rk-who, .rk-side .rk-check-list, .rk-side .rk-choice:has(> .rk-who) { display: flex; flex-direction: column;
  height: 100%; } .rk-side .rk-choice > .rk-who { flex: 1 1 0; min-height: 0; }
.rk-side .rk-cards-place { flex: 1 1 0; min-height: 0; }
.rk-view .rk-side { overflow: hidden auto; min-height: 0; min-width: 0; display: block; }
.rk-narrow .rk-room-body { grid-template-columns: minmax(0, 1fr);
  grid-template-rows: minmax(300px, 3fr) minmax(0, 2fr); }
.rk-lanes { display: grid; overflow: hidden; position: relative; }
.rk-view .rk-ruler { height: 11px; margin: 0; position: relative; overflow: hidden; flex: none; }
.rk-lanes > .rk-overlay { pointer-events: none; }
.rk-hide { stroke: var(--rk-hide); } .rk-show { stroke: var(--rk-show); stroke-dasharray: 7 4; }
.rk-now { stroke-width: 3; } .rk-marked { stroke: var(--rk-now); }
.rk-a, .rk-missed { stroke: #228be6; } .rk-b, .rk-extra { stroke: #fd7e14; } .rk-b { stroke-dasharray: 5 5; }
.rk-missed, .rk-extra { stroke-width: 3; } .rk-missed { stroke-dasharray: 12 4; fill: rgba(34,139,230,.22); }
.rk-extra { stroke-dasharray: 2 4; fill: rgba(253,126,20,.22); }
.rk-legend { display: flex; flex-flow: row wrap; gap: 2px 16px; } .rk-legend svg { width: 34px; height: 14px;
  vertical-align: middle; margin-right: 5px; } .rk-legend span { white-space: nowrap; }
.rk-slider .noUi-target { margin: 0 6px; }
.rk-cells { display: grid; grid-template-columns: repeat(auto-fill, minmax(84px, 1fr)); gap: 4px; }
.rk-cell { position: relative; border: 2px solid transparent; border-radius: 4px; padding: 2px; cursor: pointer;
  background: var(--rk-soft); text-align: center; overflow: hidden; }
.rk-cell > * { pointer-events: none; }
.rk-cell img, .rk-cell .rk-blank { width: 100%; aspect-ratio: 1; object-fit: cover; display: block; border-radius: 3px;
  background: #888; margin: 0; }
.rk-cell .rk-tick { pointer-events: auto; position: absolute; left: 3px; top: 3px; width: 18px; height: 18px;
  line-height: 18px; border-radius: 3px; background: rgba(255,255,255,.92); color: #222; font-weight: 700;
  border: 1px solid #555; }
.rk-cell .rk-tick.rk-yes { background: var(--rk-hide); color: #fff; border-color: #fff; }
.rk-name { font-weight: 600; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.rk-faint { color: var(--rk-faint); font-size: 11px; white-space: nowrap; }
.rk-table table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.rk-table th { position: sticky; top: 0; background: var(--rk-soft); cursor: pointer; z-index: 1; text-align: right;
  padding: 3px 5px; white-space: nowrap; user-select: none; }
.rk-table td { padding: 2px 5px; text-align: right; border-top: 1px solid var(--rk-line); cursor: pointer;
  white-space: nowrap; max-width: 110px; overflow: hidden; text-overflow: ellipsis; }
.rk-table td > * { pointer-events: none; }
.rk-table .rk-left { text-align: left; }
.rk-view .rk-scroll { overflow: auto; flex-shrink: 0; }
.rk-scroll > .widget-html, .rk-scroll > .widget-html > .widget-html-content { height: auto; width: 100%; }
.rk-view .rk-lane, .rk-view .rk-whole { margin: 0; position: relative; overflow: hidden; flex: none; cursor: pointer;
  border: 1px solid var(--rk-line); border-bottom: none; }
.rk-view .rk-lane { height: 16px; } .rk-view .rk-whole { height: 9px; background: var(--rk-soft); border: none; }
.rk-lane .widget-html-content, .rk-whole .widget-html-content { position: absolute; inset: 0; height: 100%; }
.rk-lanes { cursor: pointer; border: 1px solid var(--rk-line); background: var(--rk-ground); }
.rk-lanes > * { grid-area: 1 / 1; margin: 0; width: 100%; height: 100%; }
.rk-lanes .widget-html-content { position: absolute; inset: 0; height: 100%; }
.rk-lanes svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.rk-lanes text { fill: var(--rk-text); font-size: 11px; }
.rk-view .rk-kinds { display: grid; grid-template-columns: repeat(auto-fit, minmax(60px, 1fr)); gap: 6px; }
.rk-kind img { width: 100%; aspect-ratio: 1; object-fit: cover; margin: 0; border-radius: 4px; display: block; }
.rk-kind .widget-html, .rk-kind .widget-html-content { height: auto; margin: 0; width: 100%; line-height: 0; }
.rk-view .rk-kind button { padding: 0; font-size: 12px; width: 100%; margin: 2px 0 0; }
.rk-history { margin: 0; } .rk-found { max-height: 60vh; } .rk-side .rk-found { max-height: none; flex-shrink: 0; }
.rk-side .rk-found .rk-cards-place { flex: none; } .rk-side .rk-found .rk-cardlist { height: auto; }
.rk-side .rk-found .rk-cards-items { overflow: visible; }
.rk-message .widget-html-content, .rk-progress-text .widget-html-content { white-space: normal;
  overflow-wrap: anywhere; }
.rk-redact .widget-inline-hbox > .widget-label { width: 62px; flex: 0 0 62px; text-align: left; }
.rk-redact .widget-inline-hbox { margin: 1px 0; } .rk-view .rk-numbers { gap: 2px 10px; }
.rk-numbers > * { flex: 1 1 130px; } .rk-numbers .rk-shape { flex-basis: 100%; }
.rk-redact .widget-text { width: 100%; }
.rk-redact .rk-range .widget-text { flex: 1 1 60px; width: auto; min-width: 60px; }
.rk-redact .rk-range { margin-left: 62px; flex-wrap: nowrap; }
.rk-redact .rk-range button { min-width: 40px; padding: 0 6px; }
.rk-side .rk-go { position: sticky; bottom: 0; z-index: 2; padding: 4px 0;
  background: var(--jp-layout-color0, var(--rk-ground)); }
.rk-side .rk-progress { width: auto !important; flex: 1 1 60px; min-width: 0; }
.rk-go .rk-progress-text { flex: 1 0 100%; }
.rk-go > .widget-vbox { flex: 1 0 100%; }
.rk-side .rk-redact, .rk-side .rk-looks { overflow: visible; } .rk-redact .rk-row { margin: 0; }
.rk-redact .rk-check { flex: 1 1 150px; }
.rk-redact .rk-player { width: 100%; height: auto; max-height: 40vh; }
.rk-ids textarea { font-family: var(--jp-code-font-family, monospace); }
.rk-said { padding: 6px 10px; border-left: 6px solid; font-weight: 600; white-space: normal; margin-bottom: 4px; }
.rk-said-good { border-color: #2f9e44; background: #2f9e4426; }
.rk-said-bad { border-color: #e03131; background: #e0313126; }
.rk-said-doubtful { border-color: #f08c00; background: #f08c0026; }
.rk-good { color: var(--rk-show); font-weight: 600; } .rk-bad { color: var(--rk-hide); font-weight: 600; }
.rk-report table { font-size: 11px; border-collapse: collapse; } .rk-report td, .rk-report th { padding: 1px 5px; }
.rk-view .p-TabBar-tab, .rk-view .lm-TabBar-tab { min-width: 0; flex: 0 1 auto; padding: 0 9px; }
</style>"""
