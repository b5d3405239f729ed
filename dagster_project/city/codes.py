"""The code lists that the city's systems use, with how often each occurs.

Incident categories have four levels in 8 characters (two each); case categories have 6 digits. Codes and names are made up
in the shape of the real lists.
"""

from __future__ import annotations

from dataclasses import dataclass

FALL_OF_PREVENTABLE = 0.615
FALL_OF_FRAUD = 0.423
FALL_OF_OTHERS = 0.97


@dataclass(frozen=True)
class IncidentCategory:
    """``case_share``: of effective incidents, those converted to a case. ``share``: of all calls."""

    code: str
    name: str
    share: float
    hours: str = "day"
    urgent: float = 0.2
    street: float = 0.3
    case_kind: str = ""
    case_category: str = ""
    case_share: float = 0.0
    dispute: str = ""
    fall: float = FALL_OF_OTHERS


INCIDENTS = (
    IncidentCategory("01010101", "故意杀人", 0.0004, "night", 1.0, 0.2, "criminal", "040101", 1.0),
    IncidentCategory("01010201", "故意伤害", 0.0060, "night", 0.9, 0.4, "criminal", "040102", 0.7),
    IncidentCategory("01010301", "强奸", 0.0008, "night", 0.9, 0.1, "criminal", "040104", 0.95),
    IncidentCategory("01020101", "抢劫", 0.0012, "night", 1.0, 0.8, "criminal", "050100", 0.98, fall=FALL_OF_PREVENTABLE),
    IncidentCategory("01020201", "抢夺", 0.0030, "night", 0.9, 0.9, "criminal", "050400", 0.9, fall=FALL_OF_PREVENTABLE),
    IncidentCategory("01030101", "扒窃", 0.0350, "day", 0.4, 0.9, "criminal", "050201", 0.45, fall=FALL_OF_PREVENTABLE),
    IncidentCategory("01030201", "盗窃电动自行车", 0.0450, "night", 0.3, 0.7, "criminal", "050202", 0.5, fall=FALL_OF_PREVENTABLE),
    IncidentCategory("01030301", "盗窃车内财物", 0.0250, "night", 0.3, 0.8, "criminal", "050203", 0.5, fall=FALL_OF_PREVENTABLE),
    IncidentCategory("01030401", "入户盗窃", 0.0150, "night", 0.6, 0.0, "criminal", "050204", 0.8),
    IncidentCategory("01040101", "电信网络诈骗", 0.0450, "day", 0.3, 0.0, "criminal", "050301", 0.75, fall=FALL_OF_FRAUD),
    IncidentCategory("01050101", "放火", 0.0003, "night", 1.0, 0.2, "criminal", "020101", 0.9),
    IncidentCategory("02010101", "殴打他人", 0.0500, "night", 0.8, 0.5, "administrative", "800101", 0.6),
    IncidentCategory("02010201", "寻衅滋事", 0.0150, "night", 0.7, 0.6, "administrative", "800102", 0.6),
    IncidentCategory("02020101", "赌博", 0.0200, "night", 0.2, 0.0, "administrative", "800201", 0.4),
    IncidentCategory("02030101", "噪声扰民", 0.0700, "night", 0.1, 0.2, "administrative", "800301", 0.05),
    IncidentCategory("03010101", "道路交通事故", 0.1600, "day", 0.5, 0.98),
    IncidentCategory("04010101", "家庭纠纷", 0.0550, "night", 0.4, 0.0, dispute="01"),
    IncidentCategory("04010201", "邻里纠纷", 0.0400, "day", 0.2, 0.0, dispute="02"),
    IncidentCategory("04010301", "消费纠纷", 0.0500, "day", 0.1, 0.1, dispute="03"),
    IncidentCategory("04010401", "劳资债务纠纷", 0.0350, "day", 0.2, 0.1, dispute="04"),
    IncidentCategory("05010101", "群众求助", 0.1400, "day", 0.3, 0.3),
    IncidentCategory("06010101", "咨询", 0.0900, "day", 0.0, 0.0),
    IncidentCategory("09010101", "无效报警", 0.0800, "day", 0.0, 0.1),
)  # fmt: skip
CODES = tuple(category.code for category in INCIDENTS)
CONSULTATION = CODES.index("06010101")
INVALID = CODES.index("09010101")
SERIOUS_VIOLENT_CASES = frozenset({"040101", "040102", "040104", "050100", "020101"})
STREET_PREVENTABLE = ("0102", "010301", "010302", "010303")
RECLASSIFIED_AS = {
    "01020201": "01030101", "01020101": "01020201", "01030101": "05010101", "01010201": "02010101", "01030401": "01030201",
    "02010101": "04010101", "01040101": "04010301", "02010201": "04010401", "03010101": "05010101",
}  # fmt: skip
FOUND_GRAVER_AS = {"05010101": "01030101", "04010101": "02010101", "04010301": "01040101", "04010401": "02010201"}
DOWNGRADED_AS = {
    "01010201": "02010101", "01030101": "05010101", "01030201": "05010101", "01030301": "05010101", "01040101": "04010301",
    "02010101": "04010101", "02010201": "04010401",
}  # fmt: skip

HOURS = {
    "day": (2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 8, 7, 7, 8, 8, 8, 8, 7, 7, 6, 5, 4, 3),
    "night": (7, 6, 5, 3, 2, 1, 2, 2, 3, 3, 4, 4, 4, 4, 4, 4, 5, 6, 7, 8, 9, 10, 10, 9),
}
CHANNELS = (("1", "phone", 0.86), ("2", "sms", 0.03), ("3", "app", 0.07), ("4", "walk_in", 0.04))
CALLBACK_CHANNELS = {"1": "phone", "2": "sms"}
PLACES = (("01", "street"), ("02", "residence"), ("03", "shop"), ("04", "school"), ("05", "workplace"), ("09", "other"))
INDOOR_SHARES = (0.0, 0.45, 0.25, 0.06, 0.14, 0.10)
RELATIONS = (("1", "repeat", 0.030), ("2", "chase", 0.008), ("3", "officer", 0.006), ("4", "nuisance", 0.010))

# lag of clearance in days: the share cleared at all, and the mean lag of those; serious violent cases are all cleared, within a few means
CLEARANCE = {
    "040101": (1.0, 6.0), "040102": (1.0, 13.0), "040104": (1.0, 10.0), "050100": (1.0, 12.0), "050400": (0.55, 30.0),
    "050201": (0.30, 35.0), "050202": (0.25, 45.0), "050203": (0.28, 45.0), "050204": (0.40, 50.0), "050301": (0.22, 80.0),
    "020101": (1.0, 8.0),
}  # fmt: skip
MOST_MEANS = 4.0
EVENTS = {
    "cleared": "破案", "charged": "移送起诉", "withdrawn": "撤销案件", "transferred_out": "移送管辖", "transferred_in": "接收管辖",
    "exceptional": "特殊结案", "otherwise_closed": "其他结案", "reopened": "重新立案", "penalised": "行政处罚",
    "not_penalised": "不予处罚", "mediated": "治安调解",
}  # fmt: skip
RESULTS = (
    ("agreement", "调解成功", 0.80),
    ("no_agreement", "调解未成", 0.11),
    ("withdrawn", "撤回申请", 0.04),
    ("referred", "告知诉讼", 0.05),
)
DISPUTE_KINDS = {"01": "family", "02": "neighbour", "03": "consumer", "04": "labour_debt"}
ORIGINS = {"110": "110移交", "station": "派出所受理", "justice": "司法所"}
QUOTA_REGISTER = "station"
QUOTA_OF_MONTH = 10
REPLIES = (
    ("1", "satisfied", 0.50),
    ("2", "basically_satisfied", 0.10),
    ("3", "dissatisfied", 0.05),
    ("4", "declined", 0.05),
    ("5", "no_answer", 0.30),
)
