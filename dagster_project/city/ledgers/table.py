"""The ledgers of the city. One more ledger is one more entry here, one contract, and one row in the seed of measures."""

from __future__ import annotations

from dagster_project.city.ledgers import drawing, shows
from dagster_project.city.ledgers.model import Column, Counting, Kind, Ledger

COMMUNITY_OFFICERS = 1_105
PATROL_OFFICERS = 2_297
PTU_OFFICERS = 1_200
JOINT_STATIONS = 208
REGISTERED_USERS = 760_000
ORGANISATIONS = (12, 9, 8)
SHIFT_MINUTES = 480
CELL_MINUTES = 840
SHIFTS_A_WEEK = 21
OFFICER_WEEK = 400
TIME_TARGET = 0.8

NUMBER = Column("填报编号", shows.number)
UNIT = (Column("单位/代码", shows.unit), Column("单位/名称", shows.unit_name))
PLAIN_UNIT = (Column("单位代码", shows.unit), Column("单位名称", shows.unit_name))
MONTH = Column("统计月份", shows.month)
DAY = Column("统计日期", shows.day)
CSV_DAY = Column("TJRQ", shows.compact_day)
FILLED_IN_BY = Column("填报人姓名", shows.person)


def _kinds(counts: Counting, **labels: str) -> tuple[Kind, ...]:
    """Kinds of entries by the category under which each counts."""
    return tuple(Kind(label, counts, category) for category, label in labels.items())


def _of(kind: str, whole: str, part: str, above: str = "") -> tuple[Column, ...]:
    """The columns of a part and its whole, of each kind; ``above`` stands over the two."""
    over = f"{above}/" if above else ""
    named = (Column(kind, shows.label),) if kind else ()
    return (*named, Column(over + whole, shows.base), Column(over + part, shows.value))


COMMUNITY = (
    Ledger(
        "time_ledger", "community", "社区民警工作时间台账", "station", "week", 2, (Kind("", Counting("TIME-1", factor=60, heap=80)),),
        drawing.hours(COMMUNITY_OFFICERS, OFFICER_WEEK, (0.7, 0.9), TIME_TARGET, 0.2),
        (NUMBER, *UNIT, Column("周期/起始日", shows.start), Column("周期/截止日", shows.day), *_of("", "合计", "在社区", "工时"), FILLED_IN_BY),
        decimals=1,
    ),
    Ledger(
        "community_task", "community", "社区任务清单完成情况", "station", "month", 3,
        _kinds(Counting("COM-1"), visit="走访", publicity="宣传", inspection="排查"), drawing.part((8, 30), (0.7, 1.0)),
        (NUMBER, *UNIT, MONTH, *_of("任务类别", "计划数", "完成数", "任务")),
    ),
    Ledger(
        "village_officer", "community", "一村一警配备登记表", "station", "quarter", 5, (Kind("", Counting("COM-2")),), drawing.done(0.85, 6),
        (
            NUMBER, Column("行政村/代码", shows.item), Column("行政村/名称", shows.numbered("第")), *PLAIN_UNIT, DAY, Column("是否配备", shows.yes),
            Column("驻村民警/姓名", shows.person), Column("驻村民警/联系电话", shows.phone),
        ),
        items=6, has_slips=False,
    ),
    Ledger(
        "basic_data", "community", "基础信息采集更新统计", "station", "month", 2,
        _kinds(Counting("COM-3"), address="标准地址", unit="实有单位", house="实有房屋"), drawing.part((40, 200), (0.8, 1.0)),
        (NUMBER, *PLAIN_UNIT, MONTH, *_of("信息类别", "应更新数", "按期更新数")),
        form="xls",
    ),
    Ledger(
        "smart_site", "community", "智慧安防单位建设进度", "county", "month", 4, _kinds(Counting("SITE-2"), community="小区", campus="校园"),
        drawing.covered((10, 21), (0.3, 0.6), 0.03), (NUMBER, *UNIT, MONTH, *_of("单位类型", "计划数", "建成数", "建设")),
    ),
    Ledger(
        "alarm_test", "community", "一键报警测试记录", "county", "week", 1, _kinds(Counting("SITE-3"), school="学校", hospital="医院"),
        drawing.outcomes(0.97),
        (
            Column("SBBH", shows.item), Column("DWDM", shows.unit), Column("CSLX", shows.label), Column("CSSJ", shows.compact_day),
            Column("CSJG", shows.passed), Column("CSRXM", shows.person),
        ),
        form="csv", items=4, keyed=False, has_slips=False,
    ),
)  # fmt: skip
PATROL = (
    Ledger(
        "patrol_shift", "patrol", "巡逻勤务日志", "squad", "day", 1,
        _kinds(Counting("PAT-1", above="cap"), morning="早班", evening="中班", night="夜班"), drawing.work(SHIFT_MINUTES, (0.8, 1.15)),
        (
            Column("QWBH", shows.number), Column("DWDM", shows.unit), Column("QWRQ", shows.compact_day), Column("BC", shows.label),
            Column("JHFZ", shows.base), Column("SJFZ", shows.value), Column("DBMJXM", shows.person),
        ),
        form="csv",
    ),
    Ledger(
        "patrol_cell", "patrol", "网格巡防统计", "county", "week", 1, (Kind("", Counting("PAT-1.cell", above="cap")),),
        drawing.work(CELL_MINUTES, (0.7, 1.1)),
        (NUMBER, *UNIT, Column("网格编号", shows.item), Column("周期/起始日", shows.start), Column("周期/截止日", shows.day), *_of("", "计划", "实际", "巡防分钟")),
        items=8,
    ),
    Ledger(
        "joint_roster", "patrol", "警保联控站勤务表", "station", "week", 1, (Kind("", Counting("PAT-2")),), drawing.work(SHIFTS_A_WEEK, (0.8, 1.0)),
        (
            Column("ZDBH", shows.item), Column("DWDM", shows.unit), Column("ZMR", shows.compact_day), Column("JHBC", shows.base),
            Column("ZGBC", shows.value), Column("ZZXM", shows.person), Column("LXDH", shows.phone),
        ),
        form="csv", of_all=JOINT_STATIONS, keyed=False, has_slips=False,
    ),
    Ledger(
        "joint_station", "patrol", "警保联控工作站登记表", "station", "month", 2, (Kind("", Counting("PAT-2.stations", "count")),), drawing.held(),
        (
            NUMBER, Column("站点/编号", shows.item), Column("站点/名称", shows.numbered("警保联控站")), Column("站点/经度", shows.longitude),
            Column("站点/纬度", shows.latitude), *UNIT, MONTH, Column("状态", shows.text("在用")), FILLED_IN_BY,
        ),
        of_all=JOINT_STATIONS, is_sound=True,
    ),
    Ledger(
        "joint_force", "patrol", "联防联控力量统计", "county", "month", 3,
        _kinds(Counting("PAT-3.joint", "count"), grid="网格员", taxi="出租车司机", courier="外卖快递员"), drawing.stock((200, 900), 0.01),
        (NUMBER, *PLAIN_UNIT, MONTH, Column("组织名称", shows.numbered("联防队")), Column("力量类别", shows.label), Column("人数", shows.value)),
    ),
    Ledger(
        "volunteer", "patrol", "义警和平安志愿者统计", "county", "month", 3,
        _kinds(Counting("PAT-3.volunteers", "count"), volunteer_police="义警", volunteer="平安志愿者"), drawing.stock((300, 2000), 0.015),
        (NUMBER, *PLAIN_UNIT, MONTH, Column("队伍类别", shows.label), Column("人数", shows.value), Column("联系人姓名", shows.person)),
    ),
    Ledger(
        "volunteer_organisation", "patrol", "平安类社会组织登记", "county", "quarter", 5,
        _kinds(Counting("PAT-3.organisations", "count"), volunteer_police="义警", red_vest="红马甲", worthies="乡贤"),
        drawing.shared_out(ORGANISATIONS),
        (NUMBER, *PLAIN_UNIT, DAY, Column("组织类型", shows.label), Column("组织数", shows.value), FILLED_IN_BY),
        is_sound=True,
    ),
    Ledger(
        "patrol_staff", "patrol", "警力配置统计", "county", "month", 2,
        _kinds(Counting("PAT-3.staff", "count"), patrol="特巡警", ptu="PTU队员", community="社区民警"),
        drawing.shared_out((PATROL_OFFICERS, PTU_OFFICERS, COMMUNITY_OFFICERS)),
        (NUMBER, *UNIT, MONTH, Column("岗位", shows.label), Column("在岗人数", shows.value), FILLED_IN_BY),
        is_sound=True,
    ),
)  # fmt: skip
PROGRESS = (
    Ledger(
        "room_team_reform", "progress", "派出所一室两队改革进度", "station", "month", 3, (Kind("", Counting("REF-1.team_room")),),
        drawing.done(0.4, 20), (NUMBER, *UNIT, MONTH, *_of("", "应完成", "已完成", "改革"), FILLED_IN_BY),
    ),
    Ledger(
        "station_status", "progress", "派出所清单和平台对接情况", "station", "month", 3,
        (Kind("负面清单", Counting("REF-1.negative_list")), Kind("平台对接", Counting("REF-1.connected"))), drawing.done(0.5, 16),
        (NUMBER, *PLAIN_UNIT, MONTH, *_of("事项", "应完成", "已完成")),
    ),
    Ledger(
        "evidence_lab", "progress", "电子数据取证实验室登记", "county", "quarter", 6, (Kind("", Counting("REF-1.lab")),), drawing.done(0.6, 4),
        (NUMBER, *PLAIN_UNIT, DAY, *_of("", "应建", "达标"), FILLED_IN_BY),
        has_slips=False,
    ),
    Ledger(
        "training_base", "progress", "训练基地登记", "county", "quarter", 6, (Kind("", Counting("REF-1.training_base")),), drawing.done(0.4, 6),
        (NUMBER, *PLAIN_UNIT, DAY, *_of("", "应建", "达标"), FILLED_IN_BY),
        has_slips=False,
    ),
    Ledger(
        "joint_centre", "progress", "合成作战和反诈中心建设情况", "county", "quarter", 6,
        _kinds(Counting("REF-1.centre"), operation="合成作战中心", anti_fraud="反诈中心"), drawing.done(0.7, 3),
        (NUMBER, *PLAIN_UNIT, DAY, *_of("中心类型", "应建", "建成"), FILLED_IN_BY),
        has_slips=False,
    ),
    Ledger(
        "training", "progress", "民警参训统计", "station", "month", 4, _kinds(Counting("TRN-1"), law="法律", skill="技能", first_aid="急救"),
        drawing.part((5, 30), (0.6, 1.0)), (NUMBER, *UNIT, MONTH, *_of("课程", "应训", "参训", "人数")),
    ),
    Ledger(
        "budget", "progress", "预算执行情况表", "city", "month", 5,
        _kinds(Counting("FIN-1", factor=1_000_000, above="count"), case_work="办案经费", equipment="装备经费", grassroots="基层经费"),
        drawing.spent((20_000, 200_000), (0.8, 1.05)), (NUMBER, *PLAIN_UNIT, MONTH, *_of("支出科目", "年度预算", "累计执行", "金额（万元）")),
        decimals=2, has_slips=False,
    ),
    Ledger(
        "analysis_product", "progress", "研判产品目录", "city", "week", 1,
        _kinds(Counting("ACT-1.products", "count"), incident="警情", fraud="电诈", traffic="交通"), drawing.held(),
        (
            Column("报告编号", shows.number), Column("题目", shows.text("周研判报告")), Column("编制单位代码", shows.unit), Column("撰写人姓名", shows.person),
            Column("印发日期", shows.day), Column("专题", shows.label),
        ),
        items=2, keyed=False, has_slips=False,
    ),
    Ledger(
        "station_award", "progress", "枫桥式公安派出所名册", "county", "quarter", 6,
        _kinds(Counting("ACT-1.awards", "count"), provincial="省级", ministerial="部级"), drawing.stock((1, 4), 0.1),
        (NUMBER, *PLAIN_UNIT, DAY, Column("级别", shows.label), Column("在册数", shows.value), FILLED_IN_BY),
        has_slips=False,
    ),
    Ledger(
        "publicity", "progress", "宣传活动登记", "station", "week", 1,
        _kinds(Counting("ACT-1.events", "count"), alarm_line="110宣传", anti_fraud="反诈宣传"), drawing.number(0, 4),
        (NUMBER, *PLAIN_UNIT, DAY, Column("活动类型", shows.label), Column("场次", shows.value)),
    ),
    Ledger(
        "case_points", "progress", "办案积分汇总", "station", "month", 5, _kinds(Counting("PTS-1", "count", factor=10), criminal="刑事", administrative="行政"),
        drawing.number(200, 3000), (NUMBER, *PLAIN_UNIT, MONTH, Column("案件性质", shows.label), Column("积分", shows.value)),
        decimals=1,
    ),
    Ledger(
        "congestion_index", "progress", "交通拥堵指数月报", "city", "month", 6, _kinds(Counting("EXT-1", "count", factor=1000), method_2024="2024版"),
        drawing.number(1400, 1900),
        (Column("XH", shows.number), Column("DWDM", shows.unit), CSV_DAY, Column("FFBB", shows.label), Column("YDZS", shows.value)),
        form="csv", decimals=3, has_slips=False,
    ),
)  # fmt: skip
OTHERS = (
    Ledger(
        "inspection_visit", "enforcement", "明察暗访通报", "county", "week", 1,
        _kinds(Counting("LAW-4"), duty="值班备勤", equipment="装备携带", response="接处警", window="窗口服务"), drawing.part((2, 9), (0.0, 0.3)),
        (NUMBER, *UNIT, Column("检查日期", shows.day), *_of("检查项目", "检查项", "问题项", "数量"), Column("检查人姓名", shows.person)),
    ),
    Ledger(
        "case_review", "enforcement", "案件评查表", "county", "quarter", 8, (Kind("", Counting("LAW-3", "weighted", factor=1000, threshold=1)),),
        drawing.reviewed(0.9, (1.0, 2.5, 8.0)),
        (Column("案件编号", shows.number), *UNIT, DAY, Column("抽样权数", shows.weight), Column("评查结论", shows.passed), Column("评查人姓名", shows.person)),
        items=15, keyed=False, has_slips=False,
    ),
    Ledger(
        "site_inspection", "hazard", "场所检查统计", "county", "month", 3,
        _kinds(Counting("HAZ-2.inspected"), explosive="危爆物品", delivery="寄递物流", internet_cafe="网吧"), drawing.part((10, 60), (0.7, 1.0)),
        (NUMBER, *UNIT, MONTH, *_of("场所类别", "应检查", "已检查", "场所数")),
    ),
    Ledger(
        "safety_log", "hazard", "活动和场所安全记录", "county", "month", 2,
        _kinds(Counting("SAF-1", above="count"), event="大型活动", detention="监管场所"), drawing.rare(0.01, (5, 32)),
        (NUMBER, *PLAIN_UNIT, MONTH, *_of("类别", "活动或场所日数", "安全事件数")),
    ),
    Ledger(
        "drill_log", "hazard", "合成演练记录", "county", "month", 2, _kinds(Counting("DRL-1"), joint="合成演练", counter_terror="反恐演练"),
        drawing.part((1, 4), (0.4, 1.0)), (NUMBER, *UNIT, MONTH, *_of("演练类型", "演练次数", "达标次数", "次数")),
    ),
    Ledger(
        "traffic_violation", "traffic", "交通违法查处统计", "county", "day", 1,
        _kinds(
            Counting("TR-3", "count"), drink_driving="1601", overloading="1602", overcrowding="1603", speeding="1604", fatigue="1605",
        ),
        drawing.number(0, 25),
        (Column("XH", shows.number), Column("DWDM", shows.unit), CSV_DAY, Column("WFXW", shows.label), Column("CFS", shows.value)),
        form="csv",
    ),
    Ledger(
        "remote_id_card", "service", "居民身份证受理统计", "station", "day", 1, (Kind("", Counting("SVC-4.id")),), drawing.part((5, 30), (0.1, 0.4)),
        (Column("XH", shows.number), Column("DWDM", shows.unit), CSV_DAY, Column("SLZS", shows.base), Column("YDSL", shows.value)),
        form="csv",
    ),
    Ledger(
        "app_user", "service", "线上服务用户统计", "city", "day", 1, (Kind("", Counting("SVC-6")),),
        drawing.users(REGISTERED_USERS, 600_000, 500, (0.18, 0.26)),
        (Column("id", shows.number), Column("dwdm", shows.unit), Column("tjrq", shows.day), Column("zcyhs", shows.base), Column("hyyhs", shows.value)),
        form="json", is_sound=True,
    ),
    Ledger(
        "coverage", "equipment", "五个覆盖率统计", "county", "quarter", 7,
        _kinds(Counting("EQ-3"), messaging="微信警务", video="视频监控", iot="物联技防", face_camera="人脸前端", gate="智能卡口"),
        drawing.covered((40, 120), (0.4, 0.8), 0.04), (NUMBER, *UNIT, DAY, *_of("覆盖类型", "社区总数", "已覆盖", "社区")),
        has_slips=False,
    ),
    Ledger(
        "equipment_inventory", "equipment", "重点装备清查表", "county", "quarter", 7,
        _kinds(Counting("EQ-4", "count"), eod="排爆装备", drone="无人机", robot="机器人"), drawing.stock((2, 20), 0.05),
        (NUMBER, *UNIT, DAY, Column("装备类型", shows.label), Column("数量", shows.value)),
        has_slips=False,
    ),
    Ledger(
        "fleet_online", "equipment", "营运车辆定位上线统计", "county", "month", 3, _kinds(Counting("EQ-1.fleet"), coach="11", hazardous_goods="12"),
        drawing.part((20, 90), (0.9, 1.0)),
        (
            Column("XH", shows.number), Column("DWDM", shows.unit), CSV_DAY, Column("CLLX", shows.label), Column("AZS", shows.base),
            Column("SXS", shows.value),
        ),
        form="csv",
    ),
    Ledger(
        "mediation_room", "mediation", "和为贵调解室登记", "station", "month", 3, (Kind("", Counting("MED-3")),), drawing.done(0.7, 14),
        (NUMBER, *UNIT, MONTH, *_of("", "应设", "已设", "调解室"), Column("调解员/姓名", shows.person), Column("调解员/联系电话", shows.phone)),
    ),
    Ledger(
        "safety_survey", "survey", "群众安全感调查答卷", "county", "quarter", 9,
        (
            Kind("安全感", Counting("SUR-1.safety", "weighted", factor=1000, threshold=4)),
            Kind("对公安机关的信任", Counting("SUR-1", threshold=4)),
        ),
        drawing.answers((0.02, 0.05, 0.13, 0.45, 0.33), (0.5, 2.0)),
        (
            Column("问卷编号", shows.number), *PLAIN_UNIT, DAY, Column("题目", shows.label), Column("权数", shows.weight), Column("评分", shows.value),
            Column("受访者电话", shows.phone),
        ),
        items=60, keyed=False,
    ),
)  # fmt: skip
LEDGERS = (*COMMUNITY, *PATROL, *PROGRESS, *OTHERS)
