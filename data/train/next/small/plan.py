dict(layers=5, ff=80, gates={0:("easy",85),1:("qa",70),2:("mc",60)}, decay=9.0, phases=(
 (2.0,"easy=34,open=8,repeat=10,mcpass=8,look=8,letter=3,bio=12,qa=6,summary=12,chat=2,prose=3",300,300),
 (1.5,"bio=36,qa=28,none=8,letter=6,look=3,open=7,easy=2,summary=9,mcpass=4,prose=3,chat=2,repeat=1",300,300),
 (1.5,"bio=24,qa=16,none=10,letter=8,look=3,mc=20,mcpass=6,open=8,summary=10,chat=2,prose=2",300,300),
 (4.0,"bio=44,qa=20,none=3,letter=3,look=1,mc=8,mcpass=3,open=9,summary=9,chat=2,prose=4,pack=4",300,2800),
 (4.0,"bio=46,qa=20,none=2,letter=2,look=1,mc=7,mcpass=3,open=9,summary=9,chat=2,prose=4,pack=4",2800,2800)))
