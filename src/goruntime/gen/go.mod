module rsscope/golayouts

go 1.19
