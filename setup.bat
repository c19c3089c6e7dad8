@echo off
rem Registers this folder as the application /dante of IIS. setup.bat /? tells more.
rem No blocks in parentheses below: a ")" in a path would close them.
setlocal EnableExtensions DisableDelayedExpansion

set "SITE=Default Web Site"
set "APP=/dante"
set "POOL=DefaultAppPool"

if "%APPCMD%"=="" set "APPCMD=%SystemRoot%\System32\inetsrv\appcmd.exe"
rem "%~dp0" ends in a backslash that would swallow a closing quote.
for %%I in ("%~dp0.") do set "ROOT=%%~fI"
rem Only an administrator may read the registry of the local service account, S-1-5-19.
set "REG=%SystemRoot%\System32\reg.exe"
set "ICACLS=%SystemRoot%\System32\icacls.exe"
rem IIS_IUSRS: every application pool's identity is in it, and its name is localised.
set "IIS_IUSRS=*S-1-5-32-568"

if /i "%~1"=="/?" goto help
if /i "%~1"=="/remove" goto remove
if not "%~1"=="" goto unknown

echo Checking for administrator rights ...
"%REG%" query HKU\S-1-5-19 >nul 2>nul
if not "%errorlevel%"=="0" goto not_admin
echo Checking for IIS ...
if not exist "%APPCMD%" goto no_iis
echo Checking for iisnode ...
"%APPCMD%" list module /name:iisnode >nul
if not "%errorlevel%"=="0" goto no_iisnode
echo Checking that dante is built ...
if not exist "%ROOT%\dist\server.js" goto not_built
echo Checking that the folder is not in a user profile ...
for %%I in ("%PUBLIC%\..") do set "PROFILES=%%~fI"
set "ABOVE=%ROOT%"
:climb
if /i "%ABOVE%"=="%PROFILES%" goto in_profile
set "BELOW=%ABOVE%"
for %%I in ("%ABOVE%\..") do set "ABOVE=%%~fI"
if not "%ABOVE%"=="%BELOW%" goto climb

echo Allowing web.config to choose handlers ...
"%APPCMD%" unlock config "%SITE%%APP%" -section:system.webServer/handlers -commitpath:apphost
if not "%errorlevel%"=="0" goto unlock_failed
echo Allowing web.config to turn the WebSocket module off ...
"%APPCMD%" unlock config "%SITE%%APP%" -section:system.webServer/webSocket -commitpath:apphost
if not "%errorlevel%"=="0" goto unlock_failed
echo Letting IIS read the folder ...
"%ICACLS%" "%ROOT%" /grant "%IIS_IUSRS%:(OI)(CI)RX" /q
if not "%errorlevel%"=="0" goto rights_failed
echo Letting iisnode write its logs ...
if not exist "%ROOT%\iisnode" mkdir "%ROOT%\iisnode"
if not exist "%ROOT%\iisnode" goto rights_failed
"%ICACLS%" "%ROOT%\iisnode" /grant "%IIS_IUSRS%:(OI)(CI)M" /q
if not "%errorlevel%"=="0" goto rights_failed

"%APPCMD%" list app "%SITE%%APP%" >nul
if not "%errorlevel%"=="0" goto add
echo Pointing the application %APP% at this folder ...
"%APPCMD%" set vdir "%SITE%%APP%/" "/physicalPath:%ROOT%"
if not "%errorlevel%"=="0" goto app_failed
"%APPCMD%" set app "%SITE%%APP%" "/applicationPool:%POOL%"
if not "%errorlevel%"=="0" goto app_failed
goto registered
:add
echo Adding the application %APP% ...
"%APPCMD%" add app "/site.name:%SITE%" "/path:%APP%" "/physicalPath:%ROOT%" "/applicationPool:%POOL%"
if not "%errorlevel%"=="0" goto app_failed
:registered
echo.
echo Done. Open http://localhost%APP%/server-faye.js
pause
exit /b 0

:remove
echo Checking for administrator rights ...
"%REG%" query HKU\S-1-5-19 >nul 2>nul
if not "%errorlevel%"=="0" goto not_admin
echo Checking for IIS ...
if not exist "%APPCMD%" goto no_iis
"%APPCMD%" list app "%SITE%%APP%" >nul
if not "%errorlevel%"=="0" goto nothing
echo Removing the application %APP% ...
"%APPCMD%" delete app "%SITE%%APP%"
if not "%errorlevel%"=="0" goto remove_failed
echo Locking what was unlocked for it ...
"%APPCMD%" lock config "%SITE%%APP%" -section:system.webServer/handlers -commitpath:apphost
if not "%errorlevel%"=="0" goto remove_failed
"%APPCMD%" lock config "%SITE%%APP%" -section:system.webServer/webSocket -commitpath:apphost
if not "%errorlevel%"=="0" goto remove_failed
echo.
echo Done. The folder itself is still there, with its logs.
pause
exit /b 0
:nothing
echo There is no application %APP%: nothing to remove.
pause
exit /b 0

:help
echo setup.bat          registers this folder as the application %APP% of "%SITE%" in IIS
echo setup.bat /remove  takes the application out again; the folder stays
echo setup.bat /?       prints this
echo.
echo Run it as administrator. Site, path and pool are set at the top of the file.
echo APPCMD may name another appcmd.exe, such as that of IIS Express.
echo A script that cannot press a key runs setup.bat with input from nul.
exit /b 0

:unknown
echo "%~1" is not understood: setup.bat takes nothing, /remove or /?. 1>&2
goto failed
:not_admin
echo This takes an administrator: right-click setup.bat and choose "Run as administrator". 1>&2
goto failed
:no_iis
echo There is no "%APPCMD%": install IIS, with its management scripts and tools, first. 1>&2
goto failed
:no_iisnode
echo IIS has no module named iisnode: install iisnode first, from https://github.com/Azure/iisnode/releases. 1>&2
goto failed
:not_built
echo There is no "%ROOT%\dist\server.js": run npm install in "%ROOT%" first. 1>&2
goto failed
:in_profile
echo "%ROOT%" is in a user profile, where Node may not look up its path under IIS (EPERM: lstat): 1>&2
echo move the folder, to C:\inetpub\dante for example, and run setup.bat there. 1>&2
goto failed
:unlock_failed
echo appcmd could not unlock the section for "%SITE%%APP%": see its message above, 1>&2
echo and that the site at the top of setup.bat exists. 1>&2
goto failed
:rights_failed
echo IIS_IUSRS could not be given its rights to "%ROOT%": see the message above, 1>&2
echo and that the folder is on a local disk and yours. 1>&2
goto failed
:app_failed
echo appcmd could not register "%SITE%%APP%": see its message above, 1>&2
echo and that the site and the pool at the top of setup.bat exist. 1>&2
goto failed
:remove_failed
echo appcmd could not remove all of "%SITE%%APP%": see its message above, and run setup.bat /remove again. 1>&2
goto failed
:failed
rem Started from Explorer, the window would close before anybody can read it.
pause
exit /b 1
