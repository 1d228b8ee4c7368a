"""The ethics board."""

from django.urls import path

from apps.dashboards.board import views

urlpatterns = [
    path("board/", views.cases, name="board"),
    path("board/convene/", views.convene, name="case-convene"),
    path("board/rules/", views.rules, name="board-rules"),
    path("board/conditions/<int:action_id>/", views.condition_met, name="board-condition"),
    path("board/<int:case_id>/", views.case, name="case"),
    path("board/<int:case_id>/question/", views.question, name="case-question"),
    path("board/<int:case_id>/papers/", views.paper, name="case-paper"),
    path("board/<int:case_id>/conditions/", views.condition, name="case-condition"),
    path("board/<int:case_id>/conditions/<int:condition_id>/drop/", views.condition_drop, name="case-condition-drop"),
    path("board/<int:case_id>/open/", views.open_vote, name="case-open"),
    path("board/<int:case_id>/conflict/", views.conflict, name="case-conflict"),
    path("board/<int:case_id>/vote/", views.vote, name="case-vote"),
    path("board/<int:case_id>/minutes/", views.minutes, name="case-minutes"),
    path("board/<int:case_id>/minutes.pdf", views.minutes_pdf, name="case-minutes-pdf"),
]
