/* SPDX-License-Identifier: MIT */
#include "learn/column_name.h"

#include "learn/latin.h"
#include "unit.h"

/* Names as people give them, what ASCII makes of them, and the column. */
static void test_names(void)
{
    static const struct {
        const char *name;
        const char *latin;
        const char *column;
    } cases[] = {
        {"", "", ""},
        {"batteryLevel", "batteryLevel", "battery_level"},
        /* Greek */
        {"Θερμοκρασία", "Thermokrasia", "thermokrasia"},
        {"ΘΕΡΜΟΚΡΑΣΙΑ", "THERMOKRASIA", "thermokrasia"},
        {"θερμοκρασία", "thermokrasia", "thermokrasia"},
        {"Ψύξη", "Psyxi", "psyxi"},
        {"Χώρος Ψυγείων", "Choros Psygeion", "choros_psygeion"},
        {"ζώνηΘέρμανσης", "zoniThermansis", "zoni_thermansis"},
        {"πρωϊνή", "proini", "proini"},
        {"Θ", "Th", "th"},
        {"ΠΘ", "PTH", "pth"},
        /* Cyrillic */
        {"Жара", "Zhara", "zhara"},
        {"Щит управления", "Shchit upravleniya", "shchit_upravleniya"},
        {"ЩИТ", "SHCHIT", "shchit"},
        {"Объём", "Obem", "obem"},
        {"Температура воздуха", "Temperatura vozdukha", "temperatura_vozdukha"},
        {"Їдальня", "Yidalnya", "yidalnya"},
        {"датчикЯркости", "datchikYarkosti", "datchik_yarkosti"},
        {"Љубљана", "Ljubljana", "ljubljana"},
        {"Влажност ваздуха", "Vlazhnost vazdukha", "vlazhnost_vazdukha"},
        /* German */
        {"Außentemperatur", "Aussentemperatur", "aussentemperatur"},
        {"Öltank", "Oeltank", "oeltank"},
        {"ÖLTANK", "OELTANK", "oeltank"},
        {"Übergabe", "Uebergabe", "uebergabe"},
        {"BüroÄtage", "BueroAetage", "buero_aetage"},
        {"Bu\xcc\x88ro", "Buro", "buro"}, /* the mark behind its letter */
        /* Polish */
        {"Wilgotność", "Wilgotnosc", "wilgotnosc"},
        {"Łódź", "Lodz", "lodz"},
        {"Ćwiczenie", "Cwiczenie", "cwiczenie"},
        {"źródłoŻółte", "zrodloZolte", "zrodlo_zolte"},
        /* Turkish */
        {"Sıcaklık", "Sicaklik", "sicaklik"},
        {"İç ısı", "Ic isi", "ic_isi"},
        {"Güneş ışığı", "Guenes isigi", "guenes_isigi"},
        {"Çalışma", "Calisma", "calisma"},
        /* others */
        {"Ældre", "Aeldre", "aeldre"},
        {"Þjórsá", "Thjorsa", "thjorsa"},
        {"Temperatură încăpere", "Temperatura incapere", "temperatura_incapere"},
        {"Țeavă Șurub", "Teava Surub", "teava_surub"},
        {"Ĳmuiden", "Ijmuiden", "ijmuiden"},
        {"温度", "温度", "温度"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf latin = {0};
        struct buf column = {0};
        UNIT_CASE("%s", cases[i].name);
        latin_append(&latin, slice_of(cases[i].name));
        CHECK_SLICE_EQ(buf_slice(&latin), cases[i].latin);
        name_append_snake(&column, slice_of(cases[i].name));
        CHECK_SLICE_EQ(buf_slice(&column), cases[i].column);
        buf_fini(&latin);
        buf_fini(&column);
    }
}

UNIT_MAIN("column_name", {"names", test_names})
